"""Who may call what: one table. A path that is not in it does not exist, and a test fails for a route without a line.

Columns: methods (GET allows HEAD too; `ws` is a WebSocket), path, who, scope, limit, body, act.

- who: `public`, `either` (public, and a caller is recognised), `inside` (a direct call from a private address, never
  through a proxy), or the least role; `widget` is as `visitor`, and takes the widget's tokens too: no other does.
- scope: what an API key must hold; `session` means that no key will do; `-` asks for none.
- limit: `calls` counts against the caller's limit, `sign_in` against the tighter one of sign-in attempts.
- body: `upload` takes files as large as the desk allows, `-` the usual bound.
- act: the name under which the audit log records it.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from frontdesk.messages import Role

TABLE = """
# methods      path                                   who      scope     limit   body   act
GET            /health                                public   -         -       -      -
GET            /ready                                 public   -         -       -      -
GET            /metrics                               inside   -         -       -      -
POST           /webhook                               public   -         -       -      -

GET            /                                      public   -         -       -      -
GET            /sign-in                               public   -         -       -      -
GET            /console                               public   -         -       -      -
GET            /console/{path:path}                   public   -         -       -      -
GET            /c/{conversation_id}                   public   -         -       -      -
GET            /assets/{path:path}                    public   -         -       -      -
GET            /mark.svg                              public   -         -       -      -
GET            /theme.js                              public   -         -       -      -
GET            /widget.js                             public   -         -       -      -
GET            /widget                                public   -         -       -      -
GET            /widget/demo                           public   -         -       -      -
GET,POST       /unsubscribe/{token}                   public   -         -       -      -
GET            /api/v1/widget/config                  public   -         -       -      -
POST           /api/v1/widget/session                 public   -         calls   -      -
GET            /api/v1/openapi.json                   public   -         -       -      -
GET            /api/v1/desk                           public   -         -       -      -

POST           /api/v1/auth/link                      either   -         sign_in -      sign_in.link
POST           /api/v1/auth/sign-in                   either   -         sign_in -      sign_in.password
POST           /api/v1/auth/refresh                   either   -         -       -      -
POST           /api/v1/auth/sign-out                  either   -         -       -      sign_in.out
GET            /api/v1/auth/start/{provider}          either   -         -       -      -
GET            /api/v1/auth/callback/{provider}       either   -         sign_in -      sign_in.provider
GET            /api/v1/me                             visitor  -         -       -      -
PATCH          /api/v1/me                             member   session   -       -      -
PUT            /api/v1/me/password                    member   session   sign_in -      me.password
GET            /api/v1/me/export                      visitor  session   calls   -      me.export
DELETE         /api/v1/me                             visitor  session   -       -      me.erase
GET            /api/v1/me/links                       visitor  session   -       -      -
POST           /api/v1/me/links                       visitor  session   calls   -      me.link_offer
PUT            /api/v1/me/links                       visitor  session   sign_in -      me.link
DELETE         /api/v1/me/links/{channel}             visitor  session   -       -      me.unlink

POST           /api/v1/chat                           widget   chat      calls   -      -
GET            /api/v1/turns/{id}/events              widget   chat      -       -      -
POST           /api/v1/turns/{id}/stop                widget   chat      -       -      -
GET            /api/v1/conversations                  visitor  chat      -       -      -
GET            /api/v1/conversations/{id}             widget   chat      -       -      -
PATCH,DELETE   /api/v1/conversations/{id}             visitor  chat      -       -      -
GET            /api/v1/conversations/{id}/events      widget   chat      -       -      -
POST           /api/v1/conversations/{id}/typing      widget   chat      -       -      -
PUT            /api/v1/conversations/{id}/satisfaction widget  chat      -       -      -
PUT            /api/v1/messages/{id}/feedback         widget   chat      -       -      -
POST           /api/v1/handoffs                       widget   chat      calls   -      -
POST           /api/v1/files                          visitor  chat      calls   upload -
GET            /api/v1/files/{id}                     visitor  chat      -       -      -
GET            /api/v1/passages/{id}                  widget   chat      -       -      -
GET,POST       /api/v1/memories                       visitor  chat      -       -      -
PATCH,DELETE   /api/v1/memories/{id}                  visitor  chat      -       -      -
GET            /api/v1/usage                          visitor  chat      -       -      -
GET            /api/v1/approvals                      visitor  chat      -       -      -
POST           /api/v1/approvals/{id}                 visitor  session   -       -      tool.decision

POST           /v1/chat/completions                   member   chat      calls   -      -
POST           /v1/responses                          member   chat      calls   -      -
POST           /v1/embeddings                         member   chat      calls   -      -
GET            /v1/models                             member   chat      calls   -      -
GET            /v1/models/{id:path}                   member   chat      calls   -      -

POST           /mcp                                   member   chat      calls   -      -

GET            /api/v1/people                         operator people    -       -      -
POST           /api/v1/people                         operator people    -       -      person.invite
PATCH          /api/v1/people/{id}                    operator people    -       -      person.change
DELETE         /api/v1/people/{id}                    operator people    -       -      person.erase
POST           /api/v1/people/{id}/link               operator people    -       -      person.link
GET            /api/v1/keys                           member   keys      -       -      -
POST           /api/v1/keys                           member   keys      -       -      key.create
DELETE         /api/v1/keys/{id}                      member   keys      -       -      key.revoke
GET            /api/v1/audit                          operator audit     -       -      -
GET            /api/v1/audit/verdict                  operator audit     calls   -      -

GET            /api/v1/knowledge/documents            operator knowledge -       -      -
POST           /api/v1/knowledge/documents            operator knowledge calls   upload document.add
DELETE         /api/v1/knowledge/documents/{id}       operator knowledge -       -      document.remove
POST           /api/v1/knowledge/try                  operator knowledge calls   -      -
GET            /api/v1/tools                          operator tools     -       -      -
POST           /api/v1/tools/{name}                   operator tools     -       -      tool.change
GET            /api/v1/console/overview               operator console   -       -      -
GET            /api/v1/console/handoffs               operator console   -       -      -
PATCH          /api/v1/console/handoffs/{id}          operator console   -       -      handoff.change
GET            /api/v1/console/inbox                  operator console   -       -      -
GET            /api/v1/console/inbox/{id}             operator console   -       -      conversation.read
GET            /api/v1/console/inbox/{id}/files/{file_id} operator console -     -      conversation.file
GET            /api/v1/console/events                 operator console   -       -      -
GET            /api/v1/console/turns/{id}/events      operator console   -       -      conversation.watch
POST           /api/v1/console/inbox/{id}/take        operator console   -       -      conversation.take
POST           /api/v1/console/inbox/{id}/hand-back   operator console   -       -      conversation.hand_back
POST           /api/v1/console/inbox/{id}/reply       operator console   calls   -      conversation.reply
POST           /api/v1/console/inbox/{id}/typing      operator console   -       -      -
POST           /api/v1/console/inbox/{id}/notes       operator console   -       -      conversation.note
DELETE         /api/v1/console/inbox/{id}/notes/{note_id} operator console -     -      conversation.note_remove
PUT            /api/v1/console/inbox/{id}/assignee    operator console   -       -      conversation.assign
PUT            /api/v1/console/inbox/{id}/status      operator console   -       -      conversation.status
POST           /api/v1/console/inbox/{id}/draft       operator console   calls   -      conversation.draft
GET            /api/v1/console/canned                 operator console   -       -      -
POST           /api/v1/console/canned                 operator console   -       -      canned.add
PUT            /api/v1/console/canned/{id}            operator console   -       -      canned.change
DELETE         /api/v1/console/canned/{id}            operator console   -       -      canned.remove
GET            /api/v1/console/satisfaction           operator console   -       -      -
GET            /api/v1/console/work                   operator console   -       -      -
POST           /api/v1/console/work/dead/{kind}/{id}/replay operator console - -       dead.replay
DELETE         /api/v1/console/work/dead/{kind}/{id}  operator console   -       -      dead.remove
POST           /api/v1/console/work/unknown/{id}      operator console   -       -      letter.decide
GET            /api/v1/console/models                 operator console   -       -      -
GET            /api/v1/console/usage                  operator console   -       -      -

POST           /api/v1/events                         operator engagement -      -      -
GET,POST       /api/v1/decisions                      operator engagement -      -      -
POST           /api/v1/decisions/batch                operator engagement -      -      -
GET            /api/v1/decisions/{id}                 operator engagement -      -      -
POST           /api/v1/decisions/{id}/replay          operator engagement calls  -      -
POST           /api/v1/decisions/{id}/overrule        operator session   -       -      decision.overrule
POST           /api/v1/feedback                       operator engagement -      -      -
GET            /api/v1/policies                       operator engagement -      -      -
GET            /api/v1/policies/serving               operator engagement -      -      -
GET            /api/v1/policies/moves                 operator engagement -      -      -
GET            /api/v1/policies/{id}                  operator engagement -      -      -
GET            /api/v1/policies/{id}/lineage          operator engagement -      -      -
GET            /api/v1/off-policy                     operator engagement calls  -      -
GET            /api/v1/calibration                    operator engagement calls  -      -
GET            /api/v1/patterns                       operator engagement -      -      -
POST           /api/v1/learning                       operator engagement calls  -      policy.learn
POST           /api/v1/orchestration/evolve           operator engagement calls  -      policy.evolve
GET            /api/v1/evolutions                     operator engagement -      -      -
GET            /api/v1/evolutions/{id}                operator engagement -      -      -
GET            /api/v1/rollbacks                      operator engagement -      -      -
POST           /api/v1/rollbacks                      operator engagement -      -      policy.take_back
GET            /api/v1/bias                           operator engagement -      -      -
POST           /api/v1/bias/findings/{id}             operator engagement -      -      bias.accept
GET            /api/v1/engagement/settings            operator engagement -      -      -
PUT            /api/v1/engagement/settings            operator engagement -      -      setting.tune
DELETE         /api/v1/engagement/settings/{name}     operator engagement -      -      setting.end
GET            /api/v1/customers                      operator engagement -      -      -
GET            /api/v1/customers/{id}                 operator engagement -      -      -
PUT            /api/v1/customers/{id}                 operator engagement -      -      customer.change
DELETE         /api/v1/customers/{id}                 operator engagement -      -      customer.erase
GET            /api/v1/customers/{id}/export          operator engagement -      -      customer.export
GET            /api/v1/customers/{id}/timeline        operator engagement -      -      -
GET            /api/v1/outreach                       operator engagement -      -      -
GET            /api/v1/outreach/{id}                  operator engagement -      -      -
POST           /api/v1/outreach/{id}/verdict          operator session   -       -      outreach.verdict
GET            /api/v1/in-app/{customer_id}           operator engagement -      -      -
GET            /api/v1/console/outbox                 operator console   -       -      -
"""

_RANK = {"widget": 0, "visitor": 0, "member": 1, "operator": 2, "owner": 3}
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    methods: tuple[str, ...]
    path: str
    who: str
    scope: str
    limit: str
    body: str
    act: str

    @property
    def needs_caller(self) -> bool:
        """Whether somebody must be known to pass."""
        return self.who in _RANK

    def subject(self, path: str) -> str:
        """The id that the path names, or nothing."""
        pairs = zip(self.path.split("/"), path.split("/"), strict=False)
        return next((actual for template, actual in pairs if template.startswith("{")), "")


class Policy:
    """The table, ready for look-ups: fixed paths by dictionary, templates by one expression each."""

    def __init__(self, table: str = TABLE) -> None:
        self.rules = tuple(_read(table))
        self._fixed: dict[str, dict[str, Rule]] = {}
        self._templates: dict[str, tuple[re.Pattern[str], dict[str, Rule]]] = {}
        for rule in self.rules:
            self._add(rule)
        self._of_template = lru_cache(4096)(self._match)

    def find(self, path: str) -> dict[str, Rule] | None:
        """The rules of a path by method, or None when there is no such path."""
        return self._fixed.get(path) or self._of_template(path)

    def rule(self, method: str, path: str) -> Rule | None:
        """The rule of a call, or None."""
        rules = self.find(path)
        return rules.get(method) if rules else None

    def scopes(self) -> tuple[str, ...]:
        """The names that an API key's scopes are chosen from."""
        return tuple(sorted({rule.scope for rule in self.rules} - {"-", "session"}))

    def _add(self, rule: Rule) -> None:
        if "{" in rule.path:
            rules = self._templates.setdefault(rule.path, (_expression(rule.path), {}))[1]
        else:
            rules = self._fixed.setdefault(rule.path, {})
        for method in _with_head(rule.methods):
            if method in rules:
                raise ValueError(f"The policy has two lines for {method} {rule.path}")
            rules[method] = rule

    def _match(self, path: str) -> dict[str, Rule] | None:
        for expression, rules in self._templates.values():
            if expression.fullmatch(path):
                return rules
        return None


def at_least(role: Role, who: str) -> bool:
    """Whether `role` reaches the role that a line asks for."""
    return _RANK[role.value] >= _RANK[who]


def may_manage(actor: Role, subject: Role) -> bool:
    """Whether somebody of role `actor` may make, change or remove somebody of role `subject`: owners anybody, others
    only those below them."""
    return actor is Role.OWNER or _RANK[actor.value] > _RANK[subject.value]


def _read(table: str) -> Iterable[Rule]:
    for line in table.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        methods, path, who, scope, limit, body, act = line.split()
        if who not in _RANK and who not in ("public", "either", "inside"):
            raise ValueError(f"The policy's line for {path} names nobody known: {who}")
        yield Rule(methods=tuple(methods.split(",")), path=path, who=who, scope=scope, limit=limit, body=body, act=act)


def _with_head(methods: tuple[str, ...]) -> tuple[str, ...]:
    return (*methods, "HEAD") if "GET" in methods else methods


def _expression(path: str) -> re.Pattern[str]:
    """A template as an expression: `{name}` is one segment, `{name:path}` one or more."""
    pattern, at = "", 0
    for parameter in _PARAMETER.finditer(path):
        pattern += re.escape(path[at : parameter.start()]) + (".+" if parameter.group(2) else "[^/]+")
        at = parameter.end()
    return re.compile(pattern + re.escape(path[at:]))
