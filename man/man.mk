# Manual pages; the list of settings in postern.conf(5) is made from the table, by the tool itself.

dist_man8_MANS = man/posternd.8 man/posternctl.8
nodist_man5_MANS = man/postern.conf.5
dist_noinst_DATA = man/postern.conf.5.in
MOSTLYCLEANFILES = man/settings.mdoc man/postern.conf.5

man/postern.conf.5: man/postern.conf.5.in posternctl$(EXEEXT)
	$(AM_V_at)$(MKDIR_P) man
	$(AM_V_at)./posternctl --config /dev/null settings --man >man/settings.mdoc
	$(AM_V_GEN)sed -e '/@SETTINGS@/{r man/settings.mdoc' -e 'd;}' $(srcdir)/man/postern.conf.5.in >$@
