#!/bin/sh
# Makes the folder of secrets that docker-compose.yml mounts: one file for each, named like its variable. What can be
# made up is, for the file's own servers; what only others can give stays empty and is listed. Overwrites nothing, so it
# may be run again after an upgrade.
#
#   sh docs/deploy/secrets.sh [FOLDER]
set -eu
folder=${1:-$(dirname "$0")/../../secrets}

# Compose mounts a file with the mode that it has here, and the containers read it as other users. So the files are open,
# and the folder lets nobody but you in.
mkdir -p "$folder"
chmod 700 "$folder"
umask 022

made_up() { od -A n -N "$1" -t x1 /dev/urandom | tr -d ' \n'; }
put() { test -e "$folder/$1" || printf %s "$2" > "$folder/$1"; }

put POSTGRES_PASSWORD "$(made_up 24)"
put ROLE_PASSWORD "$(made_up 24)"
put OWNER_DATABASE_URL "postgresql://owner:$(cat "$folder/POSTGRES_PASSWORD")@postgres:5432/fleet"
put DATABASE_URL "postgresql://fleet_worker:$(cat "$folder/ROLE_PASSWORD")@postgres:5432/fleet"
put REDIS_URL redis://redis:6379/0
put FLEET_OPS_PASSWORD "$(made_up 12)"

for name in SENDGRID_API_KEY TWILIO_AUTH_TOKEN STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRET; do
  put "$name" ''
  test -s "$folder/$name" || echo "to fill in: $folder/$name"
done
# Empty means none.
put SENTRY_DSN ''
