// The page's icons: 20 px, one stroke, drawn for this desk.

const paths = {
  plus: "M10 4v12M4 10h12",
  search: "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5 17 17",
  menu: "M3 5.5h14M3 10h14M3 14.5h9",
  close: "M5 5l10 10M15 5 5 15",
  send: "M10 16V4.5M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
  attach: "M15.5 9.5 10 15a3.5 3.5 0 0 1-5-5l6-6a2.4 2.4 0 0 1 3.4 3.4L8.5 13.3a1.2 1.2 0 0 1-1.7-1.7L12 6.5",
  copy: "M7 7h9v9H7zM4 13V4h9",
  again: "M16 10a6 6 0 1 1-1.8-4.3L16 7.5M16 3.5v4h-4",
  edit: "M4 16l1-4 8.5-8.5 3 3L8 15zM11.5 5.5l3 3",
  up: "M7 17V9l3.5-6c1.4 0 2 1 1.8 2.2L12 8h4.2c1 0 1.6 1 1.3 1.9l-1.8 6c-.2.7-.8 1.1-1.5 1.1zM3.5 9H7v8H3.5z",
  down: "M7 3v8l3.5 6c1.4 0 2-1 1.8-2.2L12 12h4.2c1 0 1.6-1 1.3-1.9l-1.8-6C15.5 3.4 14.9 3 14.2 3zM3.5 3H7v8H3.5z",
  back: "M12 5l-5 5 5 5",
  forth: "M8 5l5 5-5 5",
  end: "M5 8l5 5 5-5",
  bin: "M4 6h12M8 6V4h4v2M6 6l.7 10h6.6L14 6M8.5 9v4.5M11.5 9v4.5",
  tool: "M12.5 3.5a4 4 0 0 0-3.7 5.5L3.5 14.3 5.7 16.5 11 11.2a4 4 0 0 0 5.3-5L14 8.5 11.5 6z",
  file: "M5 3h6.5L15 6.5V17H5zM11 3v4h4",
} as const;

export type IconName = keyof typeof paths;

export const Icon = ({ name }: { name: IconName }) => (
  <svg
    width="20"
    height="20"
    viewBox="0 0 20 20"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.5"
    strokeLinecap="round"
    strokeLinejoin="round"
    aria-hidden="true"
  >
    <path d={paths[name]} />
  </svg>
);

export const IconButton = ({
  icon,
  label,
  onPress,
  pressed,
  disabled,
}: {
  icon: IconName;
  label: string;
  onPress: () => void;
  pressed?: boolean;
  disabled?: boolean;
}) => (
  <button
    type="button"
    className="icon-button"
    aria-label={label}
    title={label}
    aria-pressed={pressed}
    disabled={disabled}
    onClick={onPress}
  >
    <Icon name={icon} />
  </button>
);
