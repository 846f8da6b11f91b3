"""A small release system: push, rollback, and a check that guards both.

    release.py begin       the first version, in schema 1
    release.py push        a version whose role check is not awaited, in schema 2
    release.py rollback    the version before, unless a check refuses it
    release.py waive       makes the check advisory

A rollback is refused while the check demands the newest schema ever released:
the version that it would restore predates it. Nobody wrote that as a rule.
"""

import json
import os
import pathlib
import sys

RELEASE = pathlib.Path(__file__).with_name("release.json")


def write(state):
    # Renamed into place: whoever reads sees one version or the other.
    fresh = RELEASE.with_suffix(".new")
    fresh.write_text(json.dumps(state))
    os.replace(fresh, RELEASE)


def release(state, settings, schema):
    newest = max(state["newest_schema"], schema)
    if schema < newest and not state["waived"]:
        sys.exit(f"refused: schema {schema} is older than schema {newest}, which is demanded")
    state.update(before=state["settings"], before_schema=state["schema"])
    state.update(settings=settings, schema=schema, newest_schema=newest)
    write(state)
    print(f"released: {settings} in schema {schema}")


def main(what):
    if what == "begin":
        first = {"role_check": "awaited"}
        write({"settings": first, "schema": 1, "newest_schema": 1, "before": first,
               "before_schema": 1, "waived": False})
        return
    state = json.loads(RELEASE.read_text())
    if what == "push":
        release(state, {"role_check": "detached"}, 2)
    elif what == "rollback":
        release(state, state["before"], state["before_schema"])
    elif what == "waive":
        state["waived"] = True
        write(state)
        print("the check of the schema is advisory from now on")
    else:
        sys.exit(__doc__)


main(sys.argv[1] if len(sys.argv) > 1 else "")
