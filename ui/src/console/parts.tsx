import { AlertDialog, Dialog } from "radix-ui";
import { X } from "lucide-react";
import { useEffect, useState, type MouseEvent, type ReactNode } from "react";
import { troubleOf, type Trouble } from "../shared/api";
import { Skeleton, TroubleNote } from "../shared/parts";
import { filter, go } from "./route";
import { words, type PageName } from "./strings";

export const Link = ({ href, children, ...rest }: { href: string; children: ReactNode; className?: string; "aria-current"?: "page" | undefined }) => (
  <a
    href={href}
    {...rest}
    onClick={(event: MouseEvent) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      go(href);
    }}
  >
    {children}
  </a>
);

type ScreenProps = {
  page: PageName;
  /** The answer to the page's question, in one line; null while it is not known. */
  sentence: string | null;
  trouble: Trouble | null;
  loading: boolean;
  onAgain: () => void;
  acts?: ReactNode;
  children: ReactNode;
};

/** A page of the console: its question, the answer in a sentence, and what stands behind it. */
export function Screen({ page, sentence, trouble, loading, onAgain, acts, children }: ScreenProps) {
  useEffect(() => {
    document.title = `${words.pages[page]} · ${words.title}`;
  }, [page]);
  return (
    <>
      <header className="screen-head">
        <div>
          <p className="label">{words.questions[page]}</p>
          <h1>{sentence ?? words.pages[page]}</h1>
        </div>
        {acts && <div className="row">{acts}</div>}
      </header>
      {trouble && <ScreenTrouble trouble={trouble} onAgain={onAgain} />}
      {loading && sentence === null && !trouble && <Skeleton label={words.loading} lines={7} />}
      {sentence !== null && children}
    </>
  );
}

const ScreenTrouble = ({ trouble, onAgain }: { trouble: Trouble; onAgain: () => void }) =>
  trouble.status === 403 ? (
    <TroubleNote trouble={{ message: words.forbidden, hint: words.forbiddenHint, code: trouble.code }} words={words.trouble} />
  ) : (
    <TroubleNote trouble={trouble} words={words.trouble} onAgain={onAgain} />
  );

/** A search field whose words live in the address. */
export function Search({ value, name = "query" }: { value: string; name?: string }) {
  const [text, setText] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => text !== value && filter(name, text), 250);
    return () => clearTimeout(timer);
  }, [text, value, name]);
  return (
    <input
      className="input search-field"
      type="search"
      aria-label={words.search}
      placeholder={words.search}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
    />
  );
}

/** A choice that lives in the address. */
export const Choice = ({ label, name, value, options }: { label: string; name: string; value: string; options: [string, string][] }) => (
  <label className="choice">
    <span className="small muted">{label}</span>
    <select className="input" value={value} onChange={(event) => filter(name, event.currentTarget.value)}>
      {options.map(([option, text]) => (
        <option key={option} value={option}>
          {text}
        </option>
      ))}
    </select>
  </label>
);

/**
 * A dialog. Radix keeps its focus and keys; the veil is ours, because Radix's own overlay writes a style element that
 * the page's policy forbids.
 */
export const Modal = ({ title, isOpen, onClose, children }: { title: string; isOpen: boolean; onClose: () => void; children: ReactNode }) => (
  <Dialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
    <Dialog.Portal>
      <div className="veil" />
      <Dialog.Content className="modal" aria-describedby={undefined}>
        <header>
          <Dialog.Title>{title}</Dialog.Title>
          <Dialog.Close className="icon-button" aria-label={words.close}>
            <X size={20} strokeWidth={1.5} aria-hidden />
          </Dialog.Close>
        </header>
        {children}
      </Dialog.Content>
    </Dialog.Portal>
  </Dialog.Root>
);

export type Question = { title: string; note: string; act: string; work: () => Promise<unknown> };

/** Asks before something that cannot be undone. */
export function Confirm({ question, onClose }: { question: Question | null; onClose: () => void }) {
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const run = async (): Promise<void> => {
    try {
      await question?.work();
      setTrouble(null);
      onClose();
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  return (
    <AlertDialog.Root open={question !== null} onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <div className="veil" />
        <AlertDialog.Content className="modal">
          <AlertDialog.Title>{question?.title}</AlertDialog.Title>
          <AlertDialog.Description>{question?.note}</AlertDialog.Description>
          {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
          <div className="row">
            <button type="button" className="button bad" onClick={() => void run()}>
              {question?.act}
            </button>
            <AlertDialog.Cancel className="button">{words.cancel}</AlertDialog.Cancel>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

/** A secret that is shown this once, with a way to copy it. */
export function Secret({ text, note }: { text: string; note: string }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <div className="secret">
      <p>{note}</p>
      <code tabIndex={0}>{text}</code>
      <button type="button" className="button main" onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}>
        {isCopied ? words.copied : words.copy}
      </button>
    </div>
  );
}
