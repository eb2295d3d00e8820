import { useEffect, useRef, useState, type DragEvent, type KeyboardEvent } from "react";
import { call, Trouble, troubleOf } from "../shared/api";
import type { FileFact } from "../shared/contract";
import { TroubleNote } from "../shared/parts";
import { useDraft, withFiles, type Sent } from "./draft";
import { Icon, IconButton } from "./icons";
import { words } from "./strings";

const ACCEPTED = "image/png,image/jpeg,image/webp,image/gif,.pdf,.docx,.md,.txt,.html";

type Upload = { key: number; name: string; fact: FileFact | null };

type Props = {
  conversationId: string | null;
  /** Who of the team answers, where somebody does. */
  holder: string | null;
  isRunning: boolean;
  isNarrow: boolean;
  maxBytes: number;
  /** `again` tells that this was sent before, and has not been changed since. */
  onSend: (text: string, files: FileFact[], again: Sent | null) => void;
  onStop: () => void;
  onTyped: () => void;
  onEditLast: () => void;
};

/** The field that is always at hand. Stop stands where Send was. */
export function Composer({ conversationId, holder, isRunning, isNarrow, maxBytes, onSend, onStop, onTyped, onEditLast }: Props) {
  const [{ text, sent }, setText] = useDraft(conversationId);
  const [uploads, setUploads] = useState<Upload[]>([]);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [isOver, setOver] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const count = useRef(0);

  useEffect(() => {
    if (!isNarrow) field.current?.focus();
  }, [conversationId, isNarrow]);

  useEffect(() => {
    const box = field.current;
    if (!box || CSS.supports("field-sizing", "content")) return;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 240)}px`;
  }, [text]);

  useEffect(() => {
    const files = sent?.files ?? [];
    setUploads((old) => [
      ...files.filter((fact) => old.every((one) => one.fact?.id !== fact.id)).map((fact) => ({ key: (count.current += 1), name: fact.name, fact })),
      ...old,
    ]);
  }, [sent]);

  const add = (files: Iterable<File>): void => {
    for (const file of files) {
      if (file.size > maxBytes) {
        setTrouble(new Trouble(413, "too_large", words.tooBig(file.name, `${Math.floor(maxBytes / 1e6)} MB`)));
        continue;
      }
      const key = (count.current += 1);
      const form = new FormData();
      form.append("file", file);
      setUploads((old) => [...old, { key, name: file.name, fact: null }]);
      call<FileFact>("/api/v1/files", { method: "POST", body: form })
        .then((fact) => setUploads((old) => old.map((one) => (one.key === key ? { ...one, fact } : one))))
        .catch((reason: unknown) => {
          setUploads((old) => old.filter((one) => one.key !== key));
          setTrouble(troubleOf(reason));
        });
    }
  };

  const isReady = text.trim() !== "" && uploads.every((one) => one.fact);
  const send = (): void => {
    if (!isReady || isRunning) return;
    const files = uploads.flatMap((one) => one.fact ?? []);
    onSend(text.trim(), files, withFiles(sent, files));
    setText("");
    setUploads([]);
    setTrouble(null);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && !text) {
      event.preventDefault();
      onEditLast();
    }
  };

  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    add(event.dataTransfer.files);
  };

  return (
    <form
      className="composer"
      data-over={isOver}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
      {uploads.length > 0 && (
        <ul className="plain row files">
          {uploads.map((one) => (
            <li key={one.key} className="chip">
              <Icon name="file" />
              {one.name} {!one.fact && <span className="muted">{words.uploading}</span>}
              <button
                type="button"
                aria-label={words.detach(one.name)}
                onClick={() => setUploads((old) => old.filter((other) => other !== one))}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div className="composer-line">
        <input
          ref={picker}
          type="file"
          hidden
          multiple
          accept={ACCEPTED}
          aria-label={words.attach}
          onChange={(event) => {
            add(event.currentTarget.files ?? []);
            event.currentTarget.value = "";
          }}
        />
        <IconButton icon="attach" label={words.attach} onPress={() => picker.current?.click()} />
        <textarea
          ref={field}
          id="composer"
          aria-label={words.composer}
          placeholder={isOver ? words.drop : holder ? words.writeTo(holder) : words.placeholder}
          dir="auto"
          rows={1}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            if (event.currentTarget.value.trim()) onTyped();
          }}
          onKeyDown={onKeyDown}
          onPaste={(event) => {
            if (event.clipboardData.files.length) add(event.clipboardData.files);
          }}
        />
        {isRunning ? (
          <button type="button" key="stop" className="act" aria-label={words.stop} title={words.stop} onClick={onStop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" key="send" className="act" aria-label={words.send} title={words.send} disabled={!isReady}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
