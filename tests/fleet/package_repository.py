"""A host's own repositories of packages, with updates and security updates, for apt and for dnf."""

# `build NAME VERSION SUITE [CONTROL]` makes a package of what is in /tmp/package; `index SUITE` makes the suite known.
FUNCTIONS = r"""
build() {
  mkdir -p /tmp/package/DEBIAN /srv/apt/$3/pool
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: F <f@example.org>\nDescription: test\n' $1 $2 \
    > /tmp/package/DEBIAN/control
  [ -z "${4-}" ] || echo "$4" >> /tmp/package/DEBIAN/control
  dpkg-deb -b /tmp/package /srv/apt/$3/pool/$1_$2_all.deb > /dev/null
  rm -rf /tmp/package
}
index() {
  cd /srv/apt/$1; mkdir -p dists/$1/main/binary-amd64
  apt-ftparchive packages pool > dists/$1/main/binary-amd64/Packages
  apt-ftparchive -o APT::FTPArchive::Release::Suite=$1 release dists/$1 > /tmp/Release
  mv /tmp/Release dists/$1
  echo "deb [trusted=yes] file:/srv/apt/$1 $1 main" > /etc/apt/sources.list.d/$1.list
}
"""

APT = FUNCTIONS + r"""
rm -f /etc/apt/sources.list
build shop 1.0 stable; build tool 1.0 stable; build kept 1.0 stable
dpkg -i /srv/apt/stable/pool/*.deb; apt-mark hold kept
build shop 1.1 stable; build kept 1.1 stable; build tool 1.0-1 stable-security; build new 1.0 stable
index stable; index stable-security
build broken 1.0 elsewhere 'Depends: no-such-package'
"""

DNF = r"""
mkdir -p /srv/rpm /etc/yum.repos.d /etc/dnf/vars; cd /srv/rpm; echo 9 > /etc/dnf/vars/releasever
for name in shop tool; do
  printf 'Name: %s\nVersion: 1\nRelease: %%{rel}\nSummary: t\nLicense: t\nBuildArch: noarch\n' $name > $name.spec
  printf '%%description\nt\n%%files\n' >> $name.spec
  for release in 1 2; do rpmbuild -bb --quiet --define "rel $release" --define "_rpmdir /srv/rpm" $name.spec; done
done
rpm -i --nodeps /srv/rpm/noarch/*-1-1.noarch.rpm
cat > updateinfo.xml <<XML
<updates><update from="f@example.org" status="final" type="security" version="1"><id>FLEET-1</id><title>tool</title>
<severity>Important</severity><issued date="2026-01-01 00:00:00"/><description>d</description><pkglist>
<collection><name>c</name><package name="tool" version="1" release="2" epoch="0" arch="noarch">
<filename>tool-1-2.noarch.rpm</filename></package></collection></pkglist></update></updates>
XML
createrepo_c --quiet .; modifyrepo_c updateinfo.xml repodata > /dev/null
printf '[fleet]\nname=fleet\nbaseurl=file:///srv/rpm\ngpgcheck=0\n' > /etc/yum.repos.d/fleet.repo
"""

# For updates in earnest: a service (shop) that answers on port 8000, one that has mapped a library (clock, libfleet), a
# package whose script fails (bad), one whose script waits for a file and for a SIGKILL (slow), one that is held.
MORE = FUNCTIONS + r"""
file() { mkdir -p "/tmp/package/$(dirname "$1")"; cat > "/tmp/package/$1"; }
script() { file DEBIAN/postinst; chmod 755 /tmp/package/DEBIAN/postinst; }
shop() {
  file usr/bin/shop
  file lib/systemd/system/shop.service <<UNIT
[Service]
ExecStart=/usr/bin/python3 /usr/bin/shop
[Install]
WantedBy=multi-user.target
UNIT
  script <<'SH'
#!/bin/sh
systemctl daemon-reload; systemctl restart --no-block shop
SH
}
serving() {
  shop <<PY
import http.server
class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response($1); self.end_headers(); self.wfile.write(b"shop\n")
http.server.HTTPServer(("", 8000), Shop).serve_forever()
PY
}
library() { mkdir -p /tmp/package/usr/lib; cp /lib/x86_64-linux-gnu/libz.so.1 /tmp/package/usr/lib/libfleet.so.1; }
clock() {
  file lib/systemd/system/clock.service <<'UNIT'
[Service]
ExecStart=/usr/bin/python3 -c "import ctypes, time; ctypes.CDLL('/usr/lib/libfleet.so.1'); time.sleep(1e9)"
[Install]
WantedBy=multi-user.target
UNIT
}
conf() { echo "$1" | file etc/tool.conf; echo /etc/tool.conf | file DEBIAN/conffiles; }
slow() {
  script <<'SH'
#!/bin/sh
[ -e /root/quick ] || { touch /root/slow; sleep 60; }
SH
}

"""

UPDATES = MORE + r"""
rm -f /etc/apt/sources.list
serving 200; build shop 1.0 stable
library; build libfleet 1.0 stable
clock; build clock 1.0 stable 'Depends: libfleet'
conf old; build tool 1.0 stable
for name in kept bad slow spare needed; do build $name 1.0 stable; done
dpkg -i /srv/apt/stable/pool/*.deb
apt-mark hold kept; apt-mark auto libfleet
systemctl enable --quiet --now clock shop
echo mine > /etc/tool.conf

conf new; build tool 1.0-1 stable-security 'Depends: needed (>= 1.1), extra'
build needed 1.1 stable; build extra 1.0 stable
library; build libfleet 1.0-1 stable-security
echo 'echo the disk of bad is upside down >&2; exit 3' | script; sed -i '1i#!/bin/sh' /tmp/package/DEBIAN/postinst
build bad 1.0-1 stable-security
build kept 1.0-1 stable-security; build spare 1.1 stable
index stable; index stable-security
"""
