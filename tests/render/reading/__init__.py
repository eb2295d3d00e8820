"""The real tools that read what is rendered, one function each: it returns the tool's complaints, and none means that
the file is good. A program that only Debian has and that is absent here skips the test with the line that installs it.

    objects      Kubernetes objects, core kinds and custom resources, strictly by their schemas
    charts       Helm: lint and template
    pipelines    Compose, GitHub and GitLab files
    images       Dockerfiles, and Trivy over any folder
    monitoring   Prometheus, Alertmanager, Grafana, OpenTelemetry collectors
    structure    what no package carries the program of: Collector, Jaeger, Vector, Loki, provisioning of Grafana
    hosts        nginx, systemd units, shell scripts
"""
