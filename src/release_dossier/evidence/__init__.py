"""Evidence: what a run or a file says about a service, read truthfully.

`reading` is what every reader returns, `kinds` what there is to say, `readers` the formats, `statement` the signed form.
"""
