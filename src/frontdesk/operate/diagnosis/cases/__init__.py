"""Every case that the five blueprints list, in the order in which somebody would look."""

from frontdesk.operate.diagnosis.case import Case
from frontdesk.operate.diagnosis.cases.deciding import confidence, latency
from frontdesk.operate.diagnosis.cases.memory import killed, shortage
from frontdesk.operate.diagnosis.cases.reaching import hops, mesh
from frontdesk.operate.diagnosis.cases.serving import errors, objectives, slowest
from frontdesk.operate.diagnosis.cases.slow import slow
from frontdesk.operate.diagnosis.cases.starting import starting
from frontdesk.operate.diagnosis.cases.stores import database, redis

CASES = (
    Case("start", "A process or pod does not start", starting),
    Case("database", "The database cannot be used", database),
    Case("redis", "Redis, or its cluster, cannot be used", redis),
    Case("reach", "Services cannot reach each other", hops),
    Case("mesh", "The mesh misroutes or refuses", mesh),
    Case("errors", "5xx, or the service is unavailable", errors),
    Case("slow", "Answers are slow", slow),
    Case("p99", "The slowest answers are over their objective", slowest),
    Case("decision latency", "Decisions take longer than their target", latency),
    Case("confidence", "Confidence is low, many decisions go to people", confidence),
    Case("memory", "A process is killed for memory", killed),
    Case("shortage", "CPU, memory, disk or a quota runs short", shortage),
    Case("objectives", "An objective is missed", objectives),
)
