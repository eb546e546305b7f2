"""What hostile input may not do.

The numbers in these tests name threats: 48 to 52 are files and lakes from strangers, 53 to 97 attacks in SQL, 98 to 100
open ports and secrets, 106 a clock that goes back, 109 and 110 what our dependencies run and come from.
"""
