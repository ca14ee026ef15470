#!/bin/sh
# Serves nginx.conf with TLS when certificates are mounted, and follows the replicas behind each upstream's name.
set -eu
conf=${1:-/etc/nginx/nginx.conf}
certs=${2:-/certs}

refuse() { echo "Not started: $*" >&2; exit 1; }

found=
for file in fullchain.pem privkey.pem; do
    [ -e "$certs/$file" ] || continue
    [ -r "$certs/$file" ] || refuse "$file in the CERTIFICATES folder cannot be read by user $(id -u); give that user or group read permission."
    found="$found $file"
done
case $found in
    "") ;;
    " fullchain.pem privkey.pem")
        cat >/tmp/tls.conf <<TLS
listen 8443 ssl;
ssl_certificate $certs/fullchain.pem;
ssl_certificate_key $certs/privkey.pem;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:10m;
if (\$plain = mcp) { return 403 "Use https: a token must not travel in the clear.\n"; }
if (\$plain = page) { return 308 https://\$host:${HTTPS_PORT:-8443}\$request_uri; }
TLS
        ;;
    *) refuse "the CERTIFICATES folder needs fullchain.pem and privkey.pem, and has only$found." ;;
esac

# Names are looked up here because nginx does it once at its start. An empty answer keeps the last addresses.
render() {
    while IFS= read -r line; do
        case $line in
            *"{ server "*:*)
                head=${line%%server *}; server=${line#*server }; options=${server#*:}; name=${server%%:*}
                addresses=$(getent ahostsv4 "$name" | awk '{ print $1 }' | sort -u || true)
                [ -z "$addresses" ] || echo "$addresses" >"/tmp/addresses-$name"
                rest=${options#*;}; options=${options%%;*}
                printf '%s' "$head"
                for address in $(cat "/tmp/addresses-$name" 2>/dev/null || echo 127.0.0.1); do
                    printf 'server %s:%s; ' "$address" "$options"
                done
                echo "$rest" ;;
            *) printf '%s\n' "$line" ;;
        esac
    done <"$conf" >/tmp/nginx.conf.new
}

follow() {
    while sleep 2; do
        render
        cmp -s /tmp/nginx.conf.new /tmp/nginx.conf && continue
        mv /tmp/nginx.conf.new /tmp/nginx.conf
        nginx -c /tmp/nginx.conf -s reload || true
    done
}

render
mv /tmp/nginx.conf.new /tmp/nginx.conf
nginx -q -t -c /tmp/nginx.conf
follow &
exec nginx -c /tmp/nginx.conf -g 'daemon off;'
