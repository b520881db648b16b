from __future__ import annotations
import time

async def test_it(demo_database, demo):
    print(demo)
