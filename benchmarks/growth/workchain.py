"""What the workchain of a campaign of N pairs costs by itself: ``python -m benchmarks.growth.workchain FOLDER N...``.

In FOLDER, which :mod:`.run` has made, a campaign of N pairs is built and stored as ``falsemetal screen`` does it, and
left unsubmitted. Of the ScreenWorkChain are given: seconds of CPU to build its inputs, to store it with its links, to
save and to load its checkpoint (which happens at every step, several times a batch of pairs), bytes of the checkpoint,
and the largest resident memory of the process that does it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .place import Place

ASK = """
import json, time, os, resource
os.chdir({folder!r})
from pathlib import Path
from aiida.engine.persistence import AiiDAPersister
from aiida.engine.utils import instantiate_process
from aiida.engine.runners import Runner
from aiida_falsemetal.cli.screen import read_campaign
from aiida_falsemetal.cli.submit import Made, screen_builder
times = []
def lap():
    times.append(time.process_time())
lap()
campaign, pairs = read_campaign(Path({file!r}))
lap()
made = Made()
builder = screen_builder(campaign, pairs, None, made)
lap()
made.store_planned()
process = instantiate_process(Runner(), builder)
lap()
process.setup()
persister = AiiDAPersister()
persister.save_checkpoint(process)
lap()
text = process.node.checkpoint
bundle = persister.load_checkpoint(process.node.pk)
lap()
process.node.set_process_state('killed')  # it takes up no room of the daemon's workers
names = ('read_s', 'build_s', 'store_s', 'save_s', 'load_s')
print(json.dumps({{**{{name: round(b - a, 3) for name, a, b in zip(names, times, times[1:])}},
                  'checkpoint_bytes': len(text),
                  'memory_MB': round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)}}))
"""


def main() -> None:
    """See the module."""
    place = Place(Path(sys.argv[1]))
    print("pairs,read_s,build_s,store_s,save_s,load_s,checkpoint_bytes,memory_MB")
    for count in map(int, sys.argv[2:]):
        file = place.campaign(f"workchain{count}", count)
        found = json.loads(place.python(ASK.format(folder=str(place.folder), file=str(file))).splitlines()[-1])
        print(",".join(map(str, (count, *found.values()))), flush=True)


if __name__ == "__main__":
    main()
