"""Zeren (责任): who is responsible for the targets of a government plan, and how far along they are."""

import gc
import logging

# FastAPI says at import that e-mail addresses will not be checked; no field of ours is one
logging.getLogger("fastapi").addFilter(lambda record: not str(record.msg).startswith("email-validator"))

# young objects before each collection: a batch makes hundreds of thousands, none of them garbage before it ends, and
# what is imported stays for good
gc.set_threshold(50_000, 20, 100)
