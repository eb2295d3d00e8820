import { createRoot } from "react-dom/client";
import "../shared/base.css";
import "../chat/prose.css";
import "./console.css";
import { App } from "./app";
import { words } from "./strings";

document.documentElement.lang = words.language;
if (!document.documentElement.dir) document.documentElement.dir = words.direction;
createRoot(document.getElementById("root") as HTMLElement).render(<App />);
