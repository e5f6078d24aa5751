import sys

import tests.unit.graph_engine.execution as ex
from tests.unit.graph_engine.test_documents import *

s = sys.argv[1]
e = json.loads((GRAPHS / "expected" / f"{s}.json").read_text())
import threading

orig = ex.Execution.engine


def eng(self):
    en = orig(self)

    def show():
        st = en._state
        print(
            "jobs",
            st.jobs,
            [(j.task.place, j.answer, j.is_over, j.thread) for j in st.jobs],
            "ready",
            st.ready,
            "parked",
            st.parked,
            "waits",
            st.waits,
            "quiet",
            st.quiet,
            "res",
            st.results,
            "running",
            st.running,
            "begun",
            st.begun,
            "root",
            st.root.active,
            st.root.phase,
            st.inbox.qsize(),
            st.pool._free,
            st.pool._count,
        )
        for r in self.journal.durable + self.journal._pending:
            print(str(r)[:150])
        import os

        os._exit(1)

    t = threading.Timer(4, show)
    t.daemon = True
    t.start()
    return en


ex.Execution.engine = eng
d = executed(s, e)
print(d.ended)
print(d.story() == e["events"])
print(d.story())
print(e["events"])
