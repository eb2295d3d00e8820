import { Fragment, useMemo, useRef, useState, type FormEvent, type ReactNode } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { TroubleNote, When } from "../shared/parts";
import { safeHref } from "../markdown/inline";
import type { Document, Documents, Try } from "./contract";
import { DataTable, type Column } from "./data-table";
import { ListEnd } from "./list-end";
import { Confirm, Modal, Screen, Search, type Question } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";
import { useList, usePageSize } from "./use-list";

const text = words.knowledge;
const DOCUMENTS = "/api/v1/knowledge/documents";

export function KnowledgeScreen({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const query = route.params.get("query") ?? "";
  const list = useList<Document, Documents>(DOCUMENTS, { query, limit: size });
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [news, setNews] = useState("");
  const [isUrlAsked, setUrlAsked] = useState(false);
  const [question, setQuestion] = useState<Question | null>(null);
  const picker = useRef<HTMLInputElement>(null);

  const columns = useMemo(
    (): Column<Document>[] => [
      { id: "title", title: text.name, value: (row) => row.title, isLong: true },
      {
        id: "source",
        title: text.source,
        value: (row) => row.source,
        show: (row) => <Source source={row.source} />,
        isLong: true,
      },
      { id: "passages", title: text.passages, value: (row) => row.passages, isNumber: true },
      { id: "updated", title: text.updated, value: (row) => row.updated_at, show: (row) => <When at={row.updated_at} /> },
    ],
    [],
  );

  const add = async (name: string, body: unknown): Promise<boolean> => {
    setNews(text.adding(name));
    try {
      await call(DOCUMENTS, { method: "POST", body });
      setTrouble(null);
      setNews(text.added(name));
      list.reload();
      return true;
    } catch (reason) {
      setTrouble(troubleOf(reason));
      setNews("");
      return false;
    }
  };
  const addFiles = async (files: FileList | null): Promise<void> => {
    for (const file of files ?? []) {
      const form = new FormData();
      form.append("file", file);
      if (!(await add(file.name, form))) return;
    }
  };
  const addUrl = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const url = String(new FormData(event.currentTarget).get("url"));
    setUrlAsked(false);
    void add(url, { url });
  };
  const remove = (rows: Document[], clear: () => void): void =>
    setQuestion({
      title: text.removeAsk(rows.length),
      note: text.removeNote,
      act: text.remove,
      work: async () => {
        await Promise.all(rows.map((row) => call(`${DOCUMENTS}/${row.id}`, { method: "DELETE" })));
        clear();
        list.reload();
      },
    });

  return (
    <Screen
      page="knowledge"
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
          <input
            ref={picker}
            type="file"
            hidden
            multiple
            accept=".md,.txt,.html,.pdf,.docx"
            aria-label={text.addFile}
            onChange={(event) => void addFiles(event.currentTarget.files)}
          />
          <button type="button" className="button" onClick={() => setUrlAsked(true)}>
            {text.addUrl}
          </button>
          <button type="button" className="button main" onClick={() => picker.current?.click()}>
            {text.addFile}
          </button>
        </>
      }
    >
      <p className="news small muted" role="status">
        {news}
      </p>
      {list.page?.notice && <p className="small warn">{list.page.notice}</p>}
      {list.page && list.page.problems.length > 0 && (
        <section className="trouble" aria-label={text.problems}>
          <h2>{text.problems}</h2>
          <ul className="plain">
            {list.page.problems.map((problem) => (
              <li key={problem.source}>
                <code>{problem.source}</code> {problem.what}. {problem.hint}
              </li>
            ))}
          </ul>
        </section>
      )}
      <TryBox />
      <DataTable
        label={words.pages.knowledge}
        columns={columns}
        rows={list.items ?? []}
        nameOf={(row) => row.title}
        sort={route.params.get("sort") ?? ""}
        empty={text.none}
        bulk={(rows, clear) => (
          <button type="button" className="button bad" onClick={() => remove(rows, clear)}>
            {text.remove}
          </button>
        )}
      />
      <ListEnd list={list} size={size} onSize={setSize} />
      <Modal title={text.addUrl} isOpen={isUrlAsked} onClose={() => setUrlAsked(false)}>
        <form className="stack" onSubmit={addUrl}>
          <label className="field">
            <span>{text.url}</span>
            <input className="input" type="url" name="url" required placeholder="https://" />
          </label>
          <button className="button main" type="submit">
            {text.add}
          </button>
        </form>
      </Modal>
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </Screen>
  );
}

/** An address or a path that breaks after its slashes first. */
const breakable = (source: string): ReactNode =>
  source.split(/(?<=\/)/).map((part, place) => (
    <Fragment key={place}>
      {part}
      <wbr />
    </Fragment>
  ));

function Source({ source }: { source: string }) {
  const href = safeHref(source);
  return href ? (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {breakable(source)}
    </a>
  ) : (
    <span className="muted">{breakable(source)}</span>
  );
}

/** What the desk would do with a question, before anybody asks it. */
function TryBox() {
  const [result, setResult] = useState<Try | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const question = String(new FormData(event.currentTarget).get("question")).trim();
    if (!question) return;
    setBusy(true);
    try {
      setResult(await call<Try>("/api/v1/knowledge/try", { method: "POST", body: { question } }));
      setTrouble(null);
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
    setBusy(false);
  };
  return (
    <section className="try" aria-labelledby="try">
      <h2 id="try">{text.try}</h2>
      <form className="row" onSubmit={(event) => void submit(event)}>
        <input className="input" name="question" aria-label={text.tryLabel} placeholder={text.tryLabel} required />
        <button className="button" type="submit" disabled={isBusy}>
          {text.tryAct}
        </button>
      </form>
      {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
      {result && (
        <div role="status">
          <p>
            <strong>{text.would[result.would]}</strong>{" "}
            {text.sure(result.confidence.toLocaleString(words.language, { style: "percent" }))}
          </p>
          {result.passages.length === 0 && <p className="muted">{text.noPassage}</p>}
          <ol className="plain passages">
            {result.passages.map((passage) => (
              <li key={passage.id}>
                <details>
                  <summary>
                    {passage.title}
                    {passage.heading && <span className="muted"> · {passage.heading}</span>}
                  </summary>
                  <p className="as-written">{passage.text}</p>
                </details>
              </li>
            ))}
          </ol>
        </div>
      )}
    </section>
  );
}
