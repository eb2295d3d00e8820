"""Target `nginx`: the way in from the internet, for a host or a container.

It ends TLS, hides what is not for the world, bounds bodies, and passes everything else on as it comes: nothing is
buffered, so streams flow. Rate limits are the desk's, which knows who asks.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from frontdesk.render.places import address_of, place_of
from frontdesk.render.target import Files, Target
from frontdesk.system.layout.edge import PublicHost
from frontdesk.system.layout.plan import Plan, Running

CERTIFICATE, KEY = "/etc/ssl/edge/tls.crt", "/etc/ssl/edge/tls.key"
CHALLENGES = "/var/www/acme"  # where the one who renews certificates answers Let's Encrypt
SILENCE = 3600  # seconds that a WebSocket may be silent
DOCKER_NAMES = "127.0.0.11"  # Docker's own name server


def files(plan: Plan) -> Files:
    """`nginx.conf`."""
    return {"nginx.conf": configuration(plan)}


def public_services(plan: Plan) -> tuple[Running, ...]:
    """The services that the world reaches, in the order of the file."""
    named = {public.service for public in plan.edge.hosts}
    return tuple(running for running in plan.services if running.key in named and running.service.port)


def behind_proxies(plan: Plan) -> frozenset[str]:
    """Services whose callers speak for others, and are to be believed: the edge, and the server of the pages. Where the
    system file says itself who is believed, that holds."""
    if plan.system.source_of("gate.trusted_proxies").kind == "system file":
        return frozenset()
    edge = {running.key for running in public_services(plan)}
    pages = {key for running in plan.services if running.service.role == "frontend" for key in running.service.calls}
    return frozenset(edge | pages)


def configuration(plan: Plan, names: str = "") -> str:
    """The whole file. With `names`, a name server, the services' names are looked up again and again; without, services
    are reached at the addresses of their bare hosts."""
    public = public_services(plan)
    reached = [host for host in plan.edge.hosts if host.service in {running.key for running in public}]
    blocks = [_HEAD.format(plan=plan.name, body=_size(plan.edge.max_body), timeout=plan.edge.timeout)]
    if names and public:
        blocks.append(f"    resolver {names} valid=10s;\n")
    beside = _beside(plan, public)
    for running in public:
        server = running.host_name if names else address_of(plan, running.key, beside)
        blocks.append(_upstream(running, server, again=bool(names)))
    blocks.append(_PLAIN)
    for name, routes in groupby(sorted(reached, key=lambda host: host.host), key=lambda host: host.host):
        blocks.append(_server(plan, name, tuple(routes)))
    blocks.append(_REFUSED)
    return "\n".join(blocks) + "}\n"


def _beside(plan: Plan, public: Sequence[Running]) -> str:
    """The bare host that it stands on: that of the services, if they share one."""
    places = {place_of(plan, running.key) for running in public}
    return places.pop() if len(places) == 1 else ""


def _upstream(running: Running, server: str, *, again: bool) -> str:
    resolve = " resolve" if again else ""
    lines = (
        f"    upstream {running.name} {{",
        f"        zone {running.name} 64k;",
        f"        server {server}:{running.service.port} max_fails=3 fail_timeout=10s{resolve};",
        "        keepalive 32;",
        "    }",
    )
    return "\n".join(lines) + "\n"


def _server(plan: Plan, name: str, routes: Sequence[PublicHost]) -> str:
    lines = [
        "    server {",
        "        listen 443 ssl;",
        "        listen [::]:443 ssl;",
        "        http2 on;",
        f"        server_name {name};",
        "",
        *_indented(_hidden(plan.edge.hidden)),
    ]
    for route in sorted(routes, key=lambda route: route.path, reverse=True):
        lines += ["", *_indented(_location(plan, route))]
    return "\n".join([*lines, "    }"]) + "\n"


def _hidden(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        bare = path.rstrip("/")
        yield f"location = {bare} {{ return 404; }}"
        yield f"location ^~ {bare}/ {{ return 404; }}"


def _location(plan: Plan, route: PublicHost) -> Iterator[str]:
    silence = max(SILENCE, plan.edge.timeout) if route.websocket else plan.edge.timeout
    yield f"location {route.path} {{"
    yield f"    proxy_pass http://{plan.service(route.service).name};"
    yield f"    proxy_read_timeout {silence}s;"
    yield f"    proxy_send_timeout {silence}s;"
    if route.websocket:
        yield "    proxy_set_header Upgrade $http_upgrade;"
        yield "    proxy_set_header Connection $upgrade;"
        yield from (f"    {line}" for line in _FORWARDED)
        yield "    proxy_next_upstream off; # a conversation that has begun cannot begin again elsewhere"
    yield "}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"        {line}" for line in lines)


def _size(count: int) -> str:
    """As nginx writes it, rounded up to kilobytes."""
    return f"{count // 2**20}m" if count % 2**20 == 0 else f"{-(-count // 2**10)}k"


_FORWARDED = (
    "proxy_set_header Host $host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Host $host;",
    "proxy_set_header X-Forwarded-Proto https;",
)

_HEAD = (
    """\
# The way in to {plan}. Certificate and key: {certificate}, {key};
# `nginx -s reload` takes renewed ones, and no connection is dropped.
worker_processes auto;
worker_rlimit_nofile 16384;
pid /run/nginx.pid;
error_log /dev/stderr warn;

events {{
    worker_connections 8192;
}}

http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    server_tokens off;

    # Paths without queries, which may hold what nobody should read.
    log_format desk escape=json
        '{{"time":"$time_iso8601","client":"$remote_addr","host":"$host","method":"$request_method","path":"$uri",'
        '"status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"upstream_seconds":"$upstream_response_time",'
        '"request_id":"$request_id"}}';
    access_log /dev/stdout desk;

    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"""
    """ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;
    ssl_session_cache shared:tls:10m;
    ssl_session_timeout 1d;
    ssl_session_tickets off;

    client_max_body_size {body};
    client_header_timeout 30s;
    client_body_timeout {timeout}s;
    send_timeout {timeout}s;
    keepalive_timeout 75s;

    proxy_http_version 1.1;
    proxy_connect_timeout 5s;
    proxy_buffering off; # an answer is passed on word by word
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 2;
    proxy_set_header Connection "";
    {forwarded}
    proxy_set_header X-Request-ID $request_id;

    map $http_upgrade $upgrade {{
        default upgrade;
        '' close;
    }}

    # Where a service says nothing about safety, as in answers of nginx itself, this is said.
    map $upstream_http_strict_transport_security $transport {{ '' 'max-age=63072000; includeSubDomains'; }}
    map $upstream_http_x_content_type_options $sniffing {{ '' nosniff; }}
    map $upstream_http_referrer_policy $referrer {{ '' same-origin; }}
    map $upstream_http_content_security_policy $content {{ '' "default-src 'none'; frame-ancestors 'none'"; }}
    map $upstream_http_content_security_policy$upstream_http_x_frame_options $frames {{ '' DENY; }}
    add_header Strict-Transport-Security $transport always;
    add_header X-Content-Type-Options $sniffing always;
    add_header Referrer-Policy $referrer always;
    add_header Content-Security-Policy $content always;
    add_header X-Frame-Options $frames always;
""".replace("{certificate}", CERTIFICATE)
    .replace("{key}", KEY)
    .replace("{forwarded}", "\n    ".join(_FORWARDED))
)

_PLAIN = f"""\
    server {{ # without TLS there is only the way to TLS
        listen 80 default_server;
        listen [::]:80 default_server;
        location /.well-known/acme-challenge/ {{ root {CHALLENGES}; }}
        location / {{ return 308 https://$host$request_uri; }}
    }}
"""

_REFUSED = """\
    server { # names that nobody has given
        listen 443 ssl default_server;
        listen [::]:443 ssl default_server;
        ssl_reject_handshake on;
    }
"""

target = Target(
    summary="nginx as the edge: TLS, headers, bounds, streams",
    files=files,
    next_step="nginx -t -c {out}/nginx.conf",
)
