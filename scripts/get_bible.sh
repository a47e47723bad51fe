#!/usr/bin/env bash
# Writes the King James Bible (public domain, Debian package bible-kjv) as plain text, one verse a line: data/bible.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

target=data/bible.txt
[ -s "$target" ] && exit 0
bible=$(command -v bible || echo /usr/games/bible)
# Written beside and renamed, so that an interrupted run leaves no half a book.
"$bible" -f gen1:1-rev22:21 > "$target.part"
lines=$(wc -l < "$target.part")
[ "$lines" -eq 31102 ] || { echo "get_bible.sh: expected 31102 verses, found $lines" >&2; exit 2; }
mv "$target.part" "$target"
echo "$target: $(wc -c < "$target") bytes"
