import { useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import type { Memory, Page } from "../shared/contract";
import { Skeleton, TroubleNote, When } from "../shared/parts";
import { useAnswer } from "../shared/use-answer";
import { IconButton } from "./icons";
import { useLayer } from "./layers";
import { words } from "./strings";

/** What the desk remembers about the reader: to see, correct and erase. */
export function MemoryView({ onMenu }: { onMenu: () => void }) {
  const { value, trouble, loading, reload } = useAnswer<Page<Memory>>("/api/v1/memories");
  const [failure, setFailure] = useState<Trouble | null>(null);
  const act = async (work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
      setFailure(null);
      reload();
      return true;
    } catch (reason) {
      setFailure(troubleOf(reason));
      return false;
    }
  };
  const add = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const text = String(new FormData(form).get("text")).trim();
    if (text) void act(() => call("/api/v1/memories", { method: "POST", body: { text } })).then((done) => done && form.reset());
  };
  return (
    <main className="sheet" id="main">
      <header>
        <span className="only-narrow">
          <IconButton icon="menu" label={words.menu} onPress={onMenu} />
        </span>
        <h1>{words.memory}</h1>
      </header>
      <p className="muted">{words.memoryIntro}</p>
      {(trouble ?? failure) && <TroubleNote trouble={(trouble ?? failure) as Trouble} words={words.trouble} onAgain={reload} />}
      {!value && loading && <Skeleton label={words.loading} />}
      {value?.items.length === 0 && <p>{words.memoryNone}</p>}
      <ul className="plain lines">
        {value?.items.map((memory) => (
          <MemoryLine key={memory.id} memory={memory} act={act} />
        ))}
      </ul>
      <form className="rename" onSubmit={add}>
        <input
          className="input"
          name="text"
          required
          maxLength={1000}
          aria-label={words.memoryAdd}
          placeholder={words.memoryPlaceholder}
        />
        <button className="button" type="submit">
          {words.add}
        </button>
      </form>
    </main>
  );
}

function MemoryLine({ memory, act }: { memory: Memory; act: (work: () => Promise<unknown>) => Promise<boolean> }) {
  const [isEditing, setEditing] = useState(false);
  useLayer(isEditing, () => setEditing(false));
  const path = `/api/v1/memories/${memory.id}`;
  const save = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("text")).trim();
    if (text) void act(() => call(path, { method: "PATCH", body: { text } })).then((done) => done && setEditing(false));
  };
  if (isEditing) {
    return (
      <li>
        <form className="rename" onSubmit={save}>
          <input className="input" name="text" required maxLength={1000} autoFocus aria-label={words.memoryAdd} defaultValue={memory.text} />
          <button className="button" type="submit">
            {words.save}
          </button>
          <button className="button" type="button" onClick={() => setEditing(false)}>
            {words.cancel}
          </button>
        </form>
      </li>
    );
  }
  return (
    <li>
      <span dir="auto">
        {memory.text}
        <span className="small muted">
          {" · "}
          <When at={memory.created_at} />
        </span>
      </span>
      <span className="line-acts">
        <IconButton icon="edit" label={`${words.edit}: ${memory.text}`} onPress={() => setEditing(true)} />
        <IconButton
          icon="bin"
          label={`${words.erase}: ${memory.text}`}
          onPress={() => void act(() => call(path, { method: "DELETE" }))}
        />
      </span>
    </li>
  );
}
