import { useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { TroubleNote } from "../shared/parts";
import { go } from "./address";
import { IconButton } from "./icons";
import { useLayer } from "./layers";
import { words } from "./strings";
import type { Talk } from "./use-talk";

type Props = { talk: Talk; onMenu: () => void; onListChange: () => void };

/** The conversation's title, and renaming and deleting it. */
export function TalkHeader({ talk, onMenu, onListChange }: Props) {
  const [mode, setMode] = useState<"rest" | "rename" | "delete">("rest");
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  useLayer(mode !== "rest", () => setMode("rest"));

  const act = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      setMode("rest");
      setTrouble(null);
      onListChange();
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  const rename = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const title = String(new FormData(event.currentTarget).get("title")).trim();
    if (title) void act(() => talk.rename(title));
  };
  const remove = (): void =>
    void act(async () => {
      await call(`/api/v1/conversations/${talk.id ?? ""}`, { method: "DELETE" });
      go({ view: "talk", id: null });
    });

  return (
    <header className="talk-header">
      <div className="talk-title">
        <span className="only-narrow">
          <IconButton icon="menu" label={words.menu} onPress={onMenu} />
        </span>
        {mode === "rename" ? (
          <form className="rename" onSubmit={rename}>
            <input className="input" name="title" aria-label={words.renameLabel} defaultValue={talk.title} maxLength={200} autoFocus />
            <button className="button" type="submit">
              {words.save}
            </button>
          </form>
        ) : (
          <h1 dir="auto">{talk.title || talk.path[0]?.text.slice(0, 80) || words.untitled}</h1>
        )}
        {talk.id && mode === "rest" && (
          <span className="title-acts">
            <IconButton icon="edit" label={words.rename} onPress={() => setMode("rename")} />
            <IconButton icon="bin" label={words.remove} disabled={talk.turn !== null} onPress={() => setMode("delete")} />
          </span>
        )}
      </div>
      {mode === "delete" && (
        <div className="row confirm" role="alertdialog" aria-label={words.removeAsk}>
          <p>{words.removeAsk}</p>
          <button type="button" className="button bad" onClick={remove}>
            {words.remove}
          </button>
          <button type="button" className="button" autoFocus onClick={() => setMode("rest")}>
            {words.keep}
          </button>
        </div>
      )}
      {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
    </header>
  );
}
