const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["minute", 60],
  ["hour", 3600],
  ["day", 86_400],
  ["week", 604_800],
  ["month", 2_629_800],
  ["year", 31_557_600],
];

/** "3 hours ago", in the page's language. */
export function ago(moment: string, now = Date.now()): string {
  const seconds = (Date.parse(moment) - now) / 1000;
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  const size = Math.abs(seconds);
  if (size < 60) return words.format(0, "second");
  const step = STEPS.findLast(([, length]) => size >= length);
  return step ? words.format(Math.round(seconds / step[1]), step[0]) : words.format(0, "second");
}

/** The exact moment, for the hover. */
export const exactly = (moment: string): string =>
  new Date(moment).toLocaleString(document.documentElement.lang || "en", { dateStyle: "long", timeStyle: "medium" });

export const secondsSince = (moment: string, now = Date.now()): number => Math.max(0, (now - Date.parse(moment)) / 1000);

/** "4 min", in the page's language: how long something lasts. */
export function lasting(seconds: number): string {
  const [unit, length] = seconds < 60 ? (["second", 1] as const) : (STEPS.findLast(([, step]) => seconds >= step) ?? ["minute", 60]);
  const words = new Intl.NumberFormat(document.documentElement.lang || "en", { style: "unit", unit, unitDisplay: "short" });
  return words.format(Math.round(seconds / length));
}
