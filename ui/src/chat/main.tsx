import { createRoot } from "react-dom/client";
import "../shared/base.css";
import "./chat.css";
import "./person.css";
import "./prose.css";
import { App } from "./app";
import { words } from "./strings";

document.documentElement.lang = words.language;
if (!document.documentElement.dir) document.documentElement.dir = words.direction;
createRoot(document.getElementById("root") as HTMLElement).render(<App />);
