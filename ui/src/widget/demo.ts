// A page to try the widget on, while developing: it shows the tag, and has the tag itself.

import "./demo.css";

const site = new URLSearchParams(location.search).get("site") ?? "main";
const script = document.createElement("script");
script.src = `${location.origin}/widget.js`;
script.dataset["site"] = site;
script.async = true;
const tag = document.getElementById("tag") as HTMLElement;
tag.textContent = `<script src="${script.src}" data-site="${site}" async></script>`;
document.body.append(script);
