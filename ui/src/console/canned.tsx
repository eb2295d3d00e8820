import { useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { TroubleNote } from "../shared/parts";
import type { Canned } from "./contract";
import { DataTable, type Column } from "./data-table";
import { Confirm, Modal, Screen, type Question } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";
import { useList } from "./use-list";

const text = words.canned;
const PATH = "/api/v1/console/canned";

const COLUMNS: Column<Canned>[] = [
  { id: "shortcut", title: text.shortcut, value: (row) => row.shortcut, show: (row) => <code>/{row.shortcut}</code> },
  { id: "title", title: text.title, value: (row) => row.title, isLong: true },
  {
    id: "text",
    title: text.text,
    value: (row) => row.text,
    show: (row) => (
      <span className="as-written" dir="auto">
        {row.text}
      </span>
    ),
    isLong: true,
  },
];

/** The team's canned replies, to make, change and delete. */
export function CannedScreen({ route }: { route: Route }) {
  const list = useList<Canned>(PATH, {});
  const [edited, setEdited] = useState<Canned | "new" | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const remove = (row: Canned): void =>
    setQuestion({
      title: text.removeAsk(row.title),
      note: text.removeNote,
      act: text.remove,
      work: async () => {
        await call(`${PATH}/${row.id}`, { method: "DELETE" });
        list.reload();
      },
    });
  return (
    <Screen
      page="canned"
      sentence={list.items && text.sentence(list.items.length)}
      trouble={list.trouble}
      loading={list.loading}
      onAgain={list.reload}
      acts={
        <button type="button" className="button main" onClick={() => setEdited("new")}>
          {text.create}
        </button>
      }
    >
      <DataTable
        label={words.pages.canned}
        columns={COLUMNS}
        rows={list.items ?? []}
        nameOf={(row) => row.title}
        sort={route.params.get("sort") ?? "shortcut"}
        empty={text.none}
        acts={(row) => (
          <span className="row">
            <button type="button" className="button" onClick={() => setEdited(row)}>
              {text.edit}
            </button>
            <button type="button" className="button" onClick={() => remove(row)}>
              {text.remove}
            </button>
          </span>
        )}
      />
      <Modal title={edited === "new" ? text.create : text.edit} isOpen={edited !== null} onClose={() => setEdited(null)}>
        <CannedForm
          canned={edited === "new" ? null : edited}
          onSaved={() => {
            setEdited(null);
            list.reload();
          }}
        />
      </Modal>
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </Screen>
  );
}

function CannedForm({ canned, onSaved }: { canned: Canned | null; onSaved: () => void }) {
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const body = Object.fromEntries(new FormData(event.currentTarget));
    try {
      await (canned ? call(`${PATH}/${canned.id}`, { method: "PUT", body }) : call(PATH, { method: "POST", body }));
      onSaved();
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      <label className="field">
        <span>
          {text.shortcut}. {text.shortcutHint}
        </span>
        <input
          className="input"
          name="shortcut"
          required
          maxLength={40}
          pattern="[\p{L}\p{N}_\-]+"
          autoCapitalize="none"
          defaultValue={canned?.shortcut}
        />
      </label>
      <label className="field">
        <span>{text.title}</span>
        <input className="input" name="title" required maxLength={200} dir="auto" defaultValue={canned?.title} />
      </label>
      <label className="field">
        <span>
          {text.text}. {text.textHint}
        </span>
        <textarea className="input" name="text" required rows={5} maxLength={10_000} dir="auto" defaultValue={canned?.text} />
      </label>
      {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
      <button className="button main" type="submit">
        {text.save}
      </button>
    </form>
  );
}
