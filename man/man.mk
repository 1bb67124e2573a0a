# Manual pages. Their paths are those of this build; the list of settings in postern.conf(5) is made from the
# table, by the tool itself.

nodist_man8_MANS = man/posternd.8 man/posternctl.8
nodist_man5_MANS = man/postern.conf.5
dist_noinst_DATA = man/posternd.8.in man/posternctl.8.in man/postern.conf.5.in
MOSTLYCLEANFILES = man/settings.mdoc $(nodist_man8_MANS) $(nodist_man5_MANS)

MAN_PATHS = sed -e 's|@SBINDIR@|$(sbindir)|g' -e 's|@CONFDIR@|$(pkgsysconfdir)|g' \
	-e 's|@MIGRATIONSDIR@|$(migrationsdir)|g' -e 's|@EXAMPLESDIR@|$(examplesdir)|g'

man/posternd.8: man/posternd.8.in Makefile
	$(AM_V_at)$(MKDIR_P) man
	$(AM_V_GEN)$(MAN_PATHS) $(srcdir)/man/posternd.8.in >$@

man/posternctl.8: man/posternctl.8.in Makefile
	$(AM_V_at)$(MKDIR_P) man
	$(AM_V_GEN)$(MAN_PATHS) $(srcdir)/man/posternctl.8.in >$@

man/postern.conf.5: man/postern.conf.5.in posternctl$(EXEEXT) Makefile
	$(AM_V_at)$(MKDIR_P) man
	$(AM_V_at)./posternctl --config /dev/null settings --man >man/settings.mdoc
	$(AM_V_GEN)$(MAN_PATHS) -e '/@SETTINGS@/{r man/settings.mdoc' -e 'd;}' $(srcdir)/man/postern.conf.5.in >$@
