"""Every answer is on disk before it is sent; nobody can change one unnoticed.

The doors use :class:`serving.assessment_log.log.AssessmentLog`. Rows are chained by hashes, their
content is encrypted under a key each, and a patient is erased by destroying keys.
"""
