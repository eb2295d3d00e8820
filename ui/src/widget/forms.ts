import { call } from "../shared/api";
import { el, fill, form, labelled } from "./dom";
import type { Session } from "./session";
import { words } from "./strings";

export type Field = { name: string; label: string; kind: "text" | "email" | "choice"; required: boolean; choices: string[] };

const submit = (label: string): HTMLElement => el("button", { className: "button site", type: "submit" }, label);

/** What the site wants to know first. The browser checks the answers, and the desk does again. */
export function preChat(fields: Field[], { email }: Session, onDone: (answers: Record<string, string>) => Promise<void>): HTMLElement {
  const inputs = fields.map(({ name, label, kind, required, choices }) => {
    const props = { className: "input", name, required };
    const options = ["", ...choices].map((value) => el("option", { value }, value || words.choose));
    const autocomplete = kind === "email" || name === "name" ? (kind === "email" ? "email" : "name") : "off";
    const input =
      kind === "choice"
        ? el("select", props, ...options)
        : el("input", { ...props, type: kind, maxLength: 500, autocomplete, value: kind === "email" ? email : "" });
    return labelled(required ? label : `${label} (${words.optional})`, input);
  });
  return form("page", onDone, el("h2", {}, words.form), ...inputs, submit(words.begin));
}

/** Where the desk does not know, a person is offered. `path` is the conversation's. */
export function leave(path: string, email: string): HTMLElement {
  const box = el("div", { className: "wide" });
  const offer = el("button", { type: "button", className: "button" }, words.leave);
  const text = el("textarea", { className: "input", name: "text", rows: 3, required: true, maxLength: 10_000 });
  const contact = el("input", { className: "input", name: "contact", maxLength: 300, value: email });
  const cancel = el("button", { type: "button", className: "button" }, words.cancel);
  const send = async (values: Record<string, string>): Promise<void> => {
    await call("/api/v1/handoffs", { method: "POST", body: { ...values, conversation_id: path.split("/").at(-1) } });
    fill(box, el("p", { role: "status" }, words.left));
  };
  const acts = el("div", { className: "row" }, submit(words.leaveSend), cancel);
  const open = form("inset", send, labelled(words.leaveText, text), labelled(words.leaveContact, contact), acts);
  const close = (): void => {
    fill(box, offer);
    offer.focus();
  };
  offer.onclick = () => {
    fill(box, open);
    text.focus();
  };
  cancel.onclick = close;
  open.onkeydown = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  };
  box.append(offer);
  return box;
}

/** How it went, asked once at the end. */
export function survey(path: string): HTMLElement {
  const comment = el("textarea", { className: "input", name: "comment", rows: 2, maxLength: 2000, ariaLabel: words.comment, placeholder: words.comment });
  const rest = el("div", { className: "rest", hidden: true }, comment, submit(words.surveySend));
  const scores = words.scores.map((name, index) => {
    const choice = el("input", { type: "radio", name: "score", value: String(index + 1), required: true });
    choice.onchange = () => {
      rest.hidden = false;
      rest.scrollIntoView({ block: "nearest" });
    };
    return el("label", {}, choice, el("span", {}, name));
  });
  const box = el("div");
  const send = async (values: Record<string, string>): Promise<void> => {
    const body = { score: Number(values["score"]), ...(values["comment"] ? { comment: values["comment"] } : {}) };
    await call(`${path}/satisfaction`, { method: "PUT", body });
    fill(box, el("p", { className: "notice", role: "status" }, words.thanks));
  };
  box.append(form("inset survey", send, el("fieldset", {}, el("legend", {}, words.survey), ...scores), rest));
  return box;
}
