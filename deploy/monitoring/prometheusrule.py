"""Writes deploy/monitoring/rules/*.yaml as the PrometheusRule of the component `monitoring`: kustomize cannot wrap.

Run from the repository's root: .venv/bin/python deploy/monitoring/prometheusrule.py
"""

from __future__ import annotations

from pathlib import Path

import yaml

RULES = Path(__file__).parent / "rules"
MANIFEST = Path(__file__).parents[1] / "k8s" / "components" / "monitoring" / "prometheusrule.yaml"
_HEAD = "# Made by deploy/monitoring/prometheusrule.py from deploy/monitoring/rules; change those.\n"


def manifest() -> str:
    """The manifest's text: the groups of all files, in the order of their names."""
    groups = [group for path in sorted(RULES.glob("*.yaml")) for group in yaml.safe_load(path.read_text())["groups"]]
    names = {"app.kubernetes.io/name": "biosynth", "app.kubernetes.io/part-of": "biosynth"}
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "biosynth", "namespace": "biosynth", "labels": names},
        "spec": {"groups": groups},
    }
    return _HEAD + yaml.dump(rule, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """Without anchors, which rules that share annotations have, and with queries in lines as they were written."""

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _Plain.text)


if __name__ == "__main__":
    MANIFEST.write_text(manifest())
