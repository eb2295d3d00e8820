/** Every sentence of the sign-in page. */
export const words = {
  language: "en",
  direction: "ltr",
  title: (desk: string) => `Sign in to ${desk}`,
  loading: "Loading",
  entering: "Signing you in",
  email: "E-mail address",
  password: "Password",
  enter: "Sign in",
  with: (provider: string) => `Sign in with ${provider}`,
  or: "or",
  linkUsed: "This link has been used or has run out",
  linkHint: "Sign in below, or ask an owner of the desk for a new link.",
  none: "Ask an owner of this desk for a sign-in link.",
  openDesk: "Go on without signing in",
  trouble: { code: "Code", again: "Try again", request: "Request" },
} as const;
