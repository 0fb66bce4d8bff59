"""The log's tables, one file a change, run by Alembic when a worker starts.

To change a table: copy the newest file of ``versions``, give it the next number, name the number
before it, and say the same number in :data:`serving.assessment_log.schema.SCHEMA`.
"""
