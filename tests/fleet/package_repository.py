"""A host's own repositories of packages, with updates and security updates, for apt and for dnf."""

APT = r"""
build() {
  rm -rf /tmp/package; mkdir -p /tmp/package/DEBIAN /srv/apt/$3/pool
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: F <f@example.org>\nDescription: test\n' $1 $2 \
    > /tmp/package/DEBIAN/control
  echo "${4-}" >> /tmp/package/DEBIAN/control
  dpkg-deb -b /tmp/package /srv/apt/$3/pool/$1_$2_all.deb > /dev/null
}
index() {
  cd /srv/apt/$1; mkdir -p dists/$1/main/binary-amd64
  apt-ftparchive packages pool > dists/$1/main/binary-amd64/Packages
  apt-ftparchive -o APT::FTPArchive::Release::Suite=$1 release dists/$1 > /tmp/Release
  mv /tmp/Release dists/$1
  echo "deb [trusted=yes] file:/srv/apt/$1 $1 main" >> /etc/apt/sources.list
}
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
