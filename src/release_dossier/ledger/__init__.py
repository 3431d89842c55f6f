"""Money: rulesets, settlement and invariants of a SocialPredict ledger, pure over columns. A producer of evidence, useful alone."""
