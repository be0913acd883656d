"""Runs a scenario: python3 play.py FILE SCENARIO

FILE is one of scenarios/, SCENARIO an async function in it that is given the stage: `play.py --list` names them all. The
server runs already; the environment says where (ORIOLE_C2S and so on). The scenario fails when it raises anything.
"""

import asyncio
import importlib
import inspect
import pathlib
import sys

from stage import Stage

HERE = pathlib.Path(__file__).parent
# Scenarios take a second or two; this ends one that hangs.
PATIENCE = 120


def scenarios(module):
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


async def run(scenario):
    stage = Stage()
    try:
        await asyncio.wait_for(scenario(stage), PATIENCE)
    finally:
        await stage.clear()


def main(arguments):
    if arguments == ["--list"]:
        for file in sorted((HERE / "scenarios").glob("*.py")):
            for name in scenarios(importlib.import_module(f"scenarios.{file.stem}")):
                print(file.stem, name)
        return
    file, name = arguments
    asyncio.run(run(scenarios(importlib.import_module(f"scenarios.{file}"))[name]))


if __name__ == "__main__":
    main(sys.argv[1:])
