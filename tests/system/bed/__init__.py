# SPDX-License-Identifier: Apache-2.0
"""The bed that the system tests lie on: real servers and a real mount.

What each module is for stands in tests/system/README.md. A test file needs
no more than

    import bed

    class Reading(bed.Case):
        def test_that_something_holds(self):
            ...

    if __name__ == "__main__":
        bed.main()
"""
from bed.bed import Bed
from bed.case import Case, enter, main
from bed.client import ask
from bed.mount import Mount
from bed.procs import Failed, slow, wait_for

__all__ = ["Bed", "Case", "Failed", "Mount", "ask", "enter", "main", "slow",
           "wait_for"]
