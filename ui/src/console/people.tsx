import { DropdownMenu } from "radix-ui";
import { MoreHorizontal } from "lucide-react";
import { useMemo, useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { TroubleNote, When } from "../shared/parts";
import { useAnswer } from "../shared/use-answer";
import type { Me } from "../shared/contract";
import type { PersonLine } from "./contract";
import { DataTable, type Column } from "./data-table";
import { ListEnd } from "./list-end";
import { Confirm, Modal, Screen, Search, Secret, type Question } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";
import { useList, usePageSize } from "./use-list";

const text = words.people;
const INVITABLE = ["member", "operator", "owner"] as const;

export function PeopleScreen({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const query = route.params.get("query") ?? "";
  const list = useList<PersonLine>("/api/v1/people", { query, limit: size });
  const me = useAnswer<Me>("/api/v1/me");
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [isInviting, setInviting] = useState(false);
  const [link, setLink] = useState<string | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const own = me.value?.person.id;

  const columns = useMemo(
    (): Column<PersonLine>[] => [
      {
        id: "name",
        title: text.name,
        value: (row) => row.name,
        show: (row) => (
          <>
            {row.name} {row.id === own && <span className="muted">({text.you})</span>}
          </>
        ),
        isLong: true,
      },
      { id: "email", title: text.email, value: (row) => row.email ?? words.none, isLong: true },
      { id: "role", title: text.role, value: (row) => text.roles[row.role] },
      { id: "state", title: text.state, value: (row) => text.states[row.state] },
      {
        id: "seen",
        title: text.seen,
        value: (row) => row.signed_in_at ?? "",
        show: (row) => (row.signed_in_at ? <When at={row.signed_in_at} /> : words.never),
      },
    ],
    [own],
  );

  const act = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      setTrouble(null);
      list.reload();
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  const change = (row: PersonLine, body: object): void =>
    void act(() => call(`/api/v1/people/${row.id}`, { method: "PATCH", body }));
  const renewLink = (row: PersonLine): void =>
    void act(async () => setLink((await call<{ link: string }>(`/api/v1/people/${row.id}/link`, { method: "POST" })).link));
  const erase = (row: PersonLine): void =>
    setQuestion({
      title: text.eraseAsk(row.name),
      note: text.eraseNote,
      act: text.erase,
      work: async () => {
        await call(`/api/v1/people/${row.id}`, { method: "DELETE" });
        list.reload();
      },
    });

  return (
    <Screen
      page="people"
      sentence={list.items && text.sentence(list.items.length, list.hasMore)}
      trouble={trouble ?? list.trouble}
      loading={list.loading}
      onAgain={() => {
        setTrouble(null);
        list.reload();
      }}
      acts={
        <>
          <Search value={query} />
          <button type="button" className="button main" onClick={() => setInviting(true)}>
            {text.invite}
          </button>
        </>
      }
    >
      <DataTable
        label={words.pages.people}
        columns={columns}
        rows={list.items ?? []}
        nameOf={(row) => row.name}
        sort={route.params.get("sort") ?? ""}
        empty={words.none}
        acts={(row) => (
          <PersonMenu
            row={row}
            isOwn={row.id === own}
            onRole={(role) => change(row, { role })}
            onLink={() => renewLink(row)}
            onState={(state) => change(row, { state })}
            onErase={() => erase(row)}
          />
        )}
      />
      <ListEnd list={list} size={size} onSize={setSize} />
      <InviteModal
        isOpen={isInviting}
        onClose={() => setInviting(false)}
        onInvited={(fresh) => {
          setInviting(false);
          setLink(fresh);
          list.reload();
        }}
      />
      <Modal title={text.linkTitle} isOpen={link !== null} onClose={() => setLink(null)}>
        <Secret text={link ?? ""} note={text.linkNote} />
      </Modal>
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </Screen>
  );
}

type MenuProps = {
  row: PersonLine;
  isOwn: boolean;
  onRole: (role: (typeof INVITABLE)[number]) => void;
  onLink: () => void;
  onState: (state: PersonLine["state"]) => void;
  onErase: () => void;
};

const PersonMenu = ({ row, isOwn, onRole, onLink, onState, onErase }: MenuProps) => (
  <DropdownMenu.Root modal={false}>
    <DropdownMenu.Trigger className="icon-button" aria-label={words.acts(row.name)}>
      <MoreHorizontal size={20} strokeWidth={1.5} aria-hidden />
    </DropdownMenu.Trigger>
    <DropdownMenu.Portal>
      <DropdownMenu.Content className="menu" align="end" sideOffset={4}>
        <DropdownMenu.Item onSelect={onLink}>{text.newLink}</DropdownMenu.Item>
        {INVITABLE.filter((role) => role !== row.role).map((role) => (
          <DropdownMenu.Item key={role} onSelect={() => onRole(role)}>
            {text.make(text.roles[role].toLowerCase())}
          </DropdownMenu.Item>
        ))}
        {!isOwn && (
          <>
            <DropdownMenu.Item onSelect={() => onState(row.state === "active" ? "blocked" : "active")}>
              {row.state === "active" ? text.block : text.unblock}
            </DropdownMenu.Item>
            <DropdownMenu.Separator />
            <DropdownMenu.Item className="bad" onSelect={onErase}>
              {text.erase}
            </DropdownMenu.Item>
          </>
        )}
      </DropdownMenu.Content>
    </DropdownMenu.Portal>
  </DropdownMenu.Root>
);

function InviteModal({ isOpen, onClose, onInvited }: { isOpen: boolean; onClose: () => void; onInvited: (link: string) => void }) {
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = { name: form.get("name"), email: form.get("email") || null, role: form.get("role") };
    try {
      onInvited((await call<{ link: string }>("/api/v1/people", { method: "POST", body })).link);
      setTrouble(null);
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  return (
    <Modal title={text.invite} isOpen={isOpen} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <label className="field">
          <span>{text.name}</span>
          <input className="input" name="name" required maxLength={200} />
        </label>
        <label className="field">
          <span>{text.email}</span>
          <input className="input" name="email" type="email" />
        </label>
        <label className="field">
          <span>{text.role}</span>
          <select className="input" name="role">
            {INVITABLE.map((role) => (
              <option key={role} value={role}>
                {text.roles[role]}
              </option>
            ))}
          </select>
        </label>
        {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
        <button className="button main" type="submit">
          {text.inviteAct}
        </button>
      </form>
    </Modal>
  );
}
