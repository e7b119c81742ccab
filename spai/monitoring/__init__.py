"""What Prometheus, Alertmanager and Grafana are given: rules and dashboards, made from data files.

`python -m spai.monitoring` writes `rules.yaml` and `dashboards/`; a test compares them with their sources. A chart
can take both as they are.
"""
