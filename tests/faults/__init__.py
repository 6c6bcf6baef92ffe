"""Faults made on purpose: damages, kills, full disks, and kinds of pictures. What was noticed, and what was lost?"""
