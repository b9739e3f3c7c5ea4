"""Zeren (责任): who is responsible for the targets of a government plan, and how far along they are."""

import logging

# FastAPI says at import that e-mail addresses will not be checked; no field of ours is one
logging.getLogger("fastapi").addFilter(lambda record: not str(record.msg).startswith("email-validator"))
