import datetime
import gc

import ct_capsules as m
from check import equal, raises

equal(repr(m.API)[:28], '<capsule object "ct_capsules')
equal(m.use(m.API, "ct_capsules.API", 20), 43)
equal(m.import_and_use("ct_capsules.API"), 200)
assert m.is_valid(m.API, "ct_capsules.API") and not m.is_valid(m.API, "other") and not m.is_valid(1, "x")
with raises(ValueError, "^PyCapsule_GetPointer called with incorrect name$"):
    m.use(m.API, "ct_capsules.WRONG", 1)
with raises(ValueError, "^PyCapsule_GetPointer called with invalid PyCapsule object$"):
    m.use(1, "x", 1)
with raises(ValueError, "^PyCapsule_New called with null pointer$"):
    m.null_capsule()
with raises(AttributeError, "has no attribute 'NOTHING'"):
    m.import_and_use("ct_capsules.NOTHING")
with raises(ImportError, '^PyCapsule_Import could not import module "ct_nowhere"$'):
    m.import_and_use("ct_nowhere.API")
with raises(AttributeError, '^PyCapsule_Import "ct_capsules.__name__" is not valid$'):
    m.import_and_use("ct_capsules.__name__")

# Destructors and contexts.
c = m.make("ct_capsules.API")
del c
equal(m.destroyed(), 1)
c = m.make("ct_capsules.API", True)
cycle = [c]
cycle.append(cycle)
del c, cycle
gc.collect()
equal(m.destroyed(), 11)
c = m.make(None)
assert m.is_valid(c, None) and not m.is_valid(c, "ct_capsules.API")
equal(m.give_name(c), "ct.renamed")
assert m.is_valid(c, "ct.renamed")
del c
equal(m.destroyed(), 11)

equal(m.a_date(), (datetime.date(2024, 2, 29), (2024, 2, 29), datetime.timedelta(1, 2, 3), (1, 3), datetime.datetime(2024, 12, 31, 23, 59, 58, 7), 7))
