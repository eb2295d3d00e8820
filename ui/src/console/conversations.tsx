import { useMemo } from "react";
import { useAnswer } from "../shared/use-answer";
import { When } from "../shared/parts";
import { branch } from "../chat/tree";
import type { ConversationOf, PersonLine, ReadConversation } from "./contract";
import { DataTable, type Column } from "./data-table";
import { ListEnd } from "./list-end";
import { MessageItem } from "./inbox-message";
import { Link, Screen, Search } from "./parts";
import { hrefOf, type Route } from "./route";
import { words } from "./strings";
import { useList, usePageSize } from "./use-list";
import type { Page } from "../shared/contract";

const text = words.conversations;

export function ConversationsScreen({ route }: { route: Route }) {
  return route.id ? <ReadScreen key={route.id} id={route.id} /> : <ListScreen route={route} />;
}

function ListScreen({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const query = route.params.get("query") ?? "";
  const list = useList<ConversationOf>("/api/v1/console/conversations", { query, limit: size });
  const people = useAnswer<Page<PersonLine>>("/api/v1/people?limit=100");
  const columns = useMemo((): Column<ConversationOf>[] => {
    const names = new Map(people.value?.items.map((person) => [person.id, person.name]));
    return [
      {
        id: "title",
        title: text.name,
        value: (row) => row.title,
        show: (row) => <Link href={hrefOf("conversations", row.id)}>{row.title || text.untitled}</Link>,
      },
      { id: "who", title: text.who, value: (row) => names.get(row.person_id) ?? text.visitor },
      { id: "channel", title: text.channel, value: (row) => row.channel },
      { id: "updated", title: text.updated, value: (row) => row.updated_at, show: (row) => <When at={row.updated_at} /> },
    ];
  }, [people.value]);
  return (
    <Screen
      page="conversations"
      sentence={list.items && text.sentence(list.items.length, list.hasMore)}
      trouble={list.trouble}
      loading={list.loading}
      onAgain={list.reload}
      acts={<Search value={query} />}
    >
      <DataTable
        label={words.pages.conversations}
        columns={columns}
        rows={list.items ?? []}
        nameOf={(row) => row.title}
        sort={route.params.get("sort") ?? ""}
        empty={query ? text.noneFound : text.none}
      />
      <ListEnd list={list} size={size} onSize={setSize} />
    </Screen>
  );
}

function ReadScreen({ id }: { id: string }) {
  const { value, trouble, loading, reload } = useAnswer<ReadConversation>(`/api/v1/console/conversations/${encodeURIComponent(id)}`);
  const path = value ? branch(value.messages, value.head_id) : [];
  return (
    <Screen
      page="conversations"
      sentence={value ? value.title || text.untitled : null}
      trouble={trouble}
      loading={loading}
      onAgain={reload}
      acts={
        <>
          <Link className="button" href={hrefOf("inbox", id)}>
            {text.watch}
          </Link>
          <Link className="button" href={hrefOf("conversations")}>
            {text.back}
          </Link>
        </>
      }
    >
      <ol className="plain reading">
        {path.map((message) => (
          <MessageItem key={message.id} message={message} person={text.visitor} />
        ))}
      </ol>
      {value?.running_turn_id && <p className="muted">{text.running}</p>}
    </Screen>
  );
}
