// Loaded before the first paint, as a file because the page's policy allows no inline script.
try {
  const theme = localStorage.getItem("frontdesk.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is closed to this page: the system's theme stands.
}
