"""Names of the files that pass between the CalcJob, the driver and the parser."""

ARCHIVE = "runner.pyz"
INPUT = "input.json"
RESTART = "restart.npz"
FRAMES = "frames.f32"
SERIES = "series.jsonl"
CHECKPOINT = "checkpoint.npz"
RESULT = "result.json"
LOG = "driver.log"


def seed_folder(seed: int) -> str:
    """Of a job with several seeds, where the files of one are."""
    return f"seed-{seed}"
