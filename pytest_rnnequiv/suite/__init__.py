"""The checks that ``--rnn-equiv`` runs, and what they share."""
