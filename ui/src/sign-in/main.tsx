import { createRoot } from "react-dom/client";
import "../shared/base.css";
import "./sign-in.css";
import { SignIn } from "./sign-in";
import { words } from "./strings";

document.documentElement.lang = words.language;
if (!document.documentElement.dir) document.documentElement.dir = words.direction;
createRoot(document.getElementById("root") as HTMLElement).render(<SignIn />);
