import { useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { TroubleNote, When } from "../shared/parts";
import type { Key } from "./contract";
import { DataTable, type Column } from "./data-table";
import { ListEnd } from "./list-end";
import { Confirm, Modal, Screen, Secret, type Question } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";
import { useList, usePageSize } from "./use-list";

const text = words.keys;
const SCOPES = ["chat", "knowledge", "tools", "console", "people", "keys", "audit"] as const;

const moment = (at: string | null) => (at ? <When at={at} /> : words.never);

const COLUMNS: Column<Key>[] = [
  { id: "name", title: text.name, value: (row) => row.name, isLong: true },
  { id: "prefix", title: text.prefix, value: (row) => row.prefix, show: (row) => <code>{row.prefix}…</code> },
  { id: "scopes", title: text.scopes, value: (row) => row.scopes.join(", ") },
  { id: "created", title: text.created, value: (row) => row.created_at, show: (row) => <When at={row.created_at} /> },
  { id: "used", title: text.used, value: (row) => row.last_used_at ?? "", show: (row) => moment(row.last_used_at) },
  { id: "expires", title: text.expires, value: (row) => row.expires_at ?? "", show: (row) => moment(row.expires_at) },
];

export function KeysScreen({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const list = useList<Key>("/api/v1/keys", { limit: size });
  const [isCreating, setCreating] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const revoke = (row: Key): void =>
    setQuestion({
      title: text.revokeAsk(row.name),
      note: text.revokeNote,
      act: text.revoke,
      work: async () => {
        await call(`/api/v1/keys/${row.id}`, { method: "DELETE" });
        list.reload();
      },
    });
  return (
    <Screen
      page="keys"
      sentence={list.items && text.sentence(list.items.length)}
      trouble={list.trouble}
      loading={list.loading}
      onAgain={list.reload}
      acts={
        <button type="button" className="button main" onClick={() => setCreating(true)}>
          {text.create}
        </button>
      }
    >
      <DataTable
        label={words.pages.keys}
        columns={COLUMNS}
        rows={list.items ?? []}
        nameOf={(row) => row.name}
        sort={route.params.get("sort") ?? ""}
        empty={text.none}
        acts={(row) => (
          <button type="button" className="button" onClick={() => revoke(row)}>
            {text.revoke}
          </button>
        )}
      />
      <ListEnd list={list} size={size} onSize={setSize} />
      <KeyModal
        isOpen={isCreating}
        onClose={() => setCreating(false)}
        onCreated={(key) => {
          setCreating(false);
          setSecret(key);
          list.reload();
        }}
      />
      <Modal title={text.shownTitle} isOpen={secret !== null} onClose={() => setSecret(null)}>
        <Secret text={secret ?? ""} note={text.shownNote} />
      </Modal>
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </Screen>
  );
}

function KeyModal({ isOpen, onClose, onCreated }: { isOpen: boolean; onClose: () => void; onCreated: (key: string) => void }) {
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const days = Number(form.get("expires_days"));
    const body = { name: form.get("name"), scopes: form.getAll("scopes"), ...(days ? { expires_days: days } : {}) };
    try {
      onCreated((await call<{ key: string }>("/api/v1/keys", { method: "POST", body })).key);
      setTrouble(null);
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  return (
    <Modal title={text.create} isOpen={isOpen} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <label className="field">
          <span>{text.name}</span>
          <input className="input" name="name" required maxLength={200} />
        </label>
        <fieldset className="choices">
          <legend className="label">{text.scopes}</legend>
          {SCOPES.map((scope) => (
            <label key={scope} className="choice">
              <input type="checkbox" name="scopes" value={scope} defaultChecked={scope === "chat"} />
              {scope}
            </label>
          ))}
        </fieldset>
        <label className="field">
          <span>{text.expiresDays}</span>
          <input className="input" name="expires_days" type="number" min={1} max={3650} />
        </label>
        {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
        <button className="button main" type="submit">
          {text.createAct}
        </button>
      </form>
    </Modal>
  );
}
