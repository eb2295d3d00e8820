import type { ReactNode } from "react";
import type { Trouble } from "./api";
import { ago, exactly, lasting, secondsSince } from "./time";

/** The desk's bell. */
export const Bell = ({ size = 24 }: { size?: number }) => (
  <svg className="bell" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
    <path className="bell-dome" d="M5.5 21.5C5.5 15 10 10 16 10s10.5 5 10.5 11.5z" />
    <path className="bell-line" d="M13.5 6.5h5M16 6.5V10M5.5 21.5C5.5 15 10 10 16 10s10.5 5 10.5 11.5zM3.5 25.5h25" />
  </svg>
);

export const Skeleton = ({ lines = 4, label }: { lines?: number; label: string }) => (
  <div className="skeleton" role="status">
    <span className="hidden-label">{label}</span>
    {Array.from({ length: lines }, (_, line) => (
      <i key={line} />
    ))}
  </div>
);

/** How long ago something was; `brief` says only the time, where a list has little room. */
export const When = ({ at, brief = false }: { at: string; brief?: boolean }) => (
  <time dateTime={at} title={exactly(at)}>
    {brief && secondsSince(at) >= 60 ? lasting(secondsSince(at)) : ago(at)}
  </time>
);

type Words = { code: string; again: string; request: string };

/** What happened, what to do, the code, and a way to try again. */
export const TroubleNote = ({
  trouble,
  words,
  onAgain,
  children,
}: {
  trouble: Pick<Trouble, "message" | "hint" | "code"> & { requestId?: string };
  words: Words;
  onAgain?: (() => void) | undefined;
  children?: ReactNode;
}) => (
  <div className="trouble" role="alert">
    <p>
      <strong>{trouble.message}</strong>
    </p>
    {trouble.hint && <p>{trouble.hint}</p>}
    {children}
    <p className="small muted">
      {words.code} <code>{trouble.code}</code>
      {trouble.requestId && (
        <>
          {" · "}
          {words.request} <code>{trouble.requestId}</code>
        </>
      )}
    </p>
    {onAgain && (
      <button type="button" className="button" onClick={onAgain}>
        {words.again}
      </button>
    )}
  </div>
);
