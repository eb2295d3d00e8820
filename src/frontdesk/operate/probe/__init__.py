"""Whether something answers: HTTP, TCP, Redis, SQL, a process. Containers ask every few seconds: it imports late."""
