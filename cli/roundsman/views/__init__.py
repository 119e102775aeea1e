"""What people and machines are shown: reports are plain values made by pure functions; drawing them is apart."""
