"""Money: rulesets, settlement and invariants of a SocialPredict ledger, pure over columns. A producer of evidence, useful alone.

`columns` holds the rows as read, `rulesets` what the rules were and when, `settlement` what they give, `account` every debit and credit
of a user, `receipts` and `answers` what was asked and served, `checks` the laws, `verify` the verdict, `evidence` the readings of it.
"""
