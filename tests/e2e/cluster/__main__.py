"""`make test-cluster`: the local overlay on a real cluster, from nothing to images in MinIO, as a transcript.

The cluster is that of KUBECONFIG. Where no node offers nvidia.com/gpu, one is made to pose as a node with two GPUs,
tainted and labelled as the GPU operator does it, once the generator was seen Pending; this is taken back at the end.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

from tests.e2e.cluster.admission import bad_pods_are_refused
from tests.e2e.cluster.bulk import a_bulk_order_outlives_a_kill
from tests.e2e.cluster.disruptions import no_call_fails_while_pods_go
from tests.e2e.cluster.evaluations import two_sets_are_judged
from tests.e2e.cluster.gpus import gpu_node
from tests.e2e.cluster.namespace import check_cluster, deployed
from tests.e2e.cluster.pipeline import the_pipeline_runs
from tests.e2e.cluster.proof import ROOT, Proof
from tests.e2e.cluster.replicas import a_second_replica_doubles_the_work
from tests.e2e.cluster.rotation import a_half_rotated_store_key_is_told
from tests.e2e.cluster.settings import bad_settings_are_told
from tests.e2e.cluster.store_restart import a_restarted_store_loses_nothing
from tests.e2e.cluster.training import two_pods_train_a_model
from tests.e2e.kubectl import run, say

IMAGES = ("segmentation", "reference", "generation-cpu", "evaluation", "pipeline", "gateway", "cli", "minio")
PARTS: dict[str, Callable[[Proof], None]] = {
    "pipeline": the_pipeline_runs,
    "admission": bad_pods_are_refused,
    "settings": bad_settings_are_told,
    "rotation": a_half_rotated_store_key_is_told,
    "replicas": a_second_replica_doubles_the_work,
    "disruptions": no_call_fails_while_pods_go,
    "store-restart": a_restarted_store_loses_nothing,
    "bulk": a_bulk_order_outlives_a_kill,
    "evaluations": two_sets_are_judged,
    "training": two_pods_train_a_model,
}


def main() -> None:
    """Prove it step by step; ends with an exit code other than 0 at the first step that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", metavar="COMMAND", help="brings images into the nodes; is given their names")
    parser.add_argument("--secrets", type=Path, default=ROOT / "deploy" / "secrets", help="default: deploy/secrets")
    parser.add_argument("--version", required=True, help="tag of the images")
    parser.add_argument(
        "--only", choices=PARTS, metavar="NAME", action="append", help=f"of {', '.join(PARTS)}; repeatable"
    )
    parser.add_argument("--training", action="store_true", help="training too: needs the image biosynth/training")
    parser.add_argument("--keep", action="store_true", help="leave everything running, and the node as it poses")
    parser.add_argument("--again", action="store_true", help="the namespace biosynth is there from an earlier --keep")
    arguments = parser.parse_args()
    names = arguments.only or [name for name in PARTS if name != "training" or arguments.training]
    check_cluster(arguments.again)
    if arguments.load:
        images = [*IMAGES, "training"] if "training" in names else IMAGES
        run(*shlex.split(arguments.load), *(f"biosynth/{image}:{arguments.version}" for image in images))
    proof = Proof(arguments.secrets, arguments.version)
    with deployed(proof, arguments.keep), gpu_node(proof, arguments.keep):
        for name in names:
            say(f"--- {name}")
            PARTS[name](proof)
    say(f"all of it holds: {', '.join(names)}")


if __name__ == "__main__":
    main()
