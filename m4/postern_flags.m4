# POSTERN_FLAGS(VARIABLE, FLAGS)
# Substitute VARIABLE with those of FLAGS that the compiler takes without a word.
AC_DEFUN([POSTERN_FLAGS], [
  $1=""
  postern_kept_CFLAGS="$CFLAGS"
  for postern_flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether $CC takes $postern_flag])
    CFLAGS="-Werror $postern_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); $1="$$1 $postern_flag"],
      [AC_MSG_RESULT([no])])
  done
  CFLAGS="$postern_kept_CFLAGS"
  AC_SUBST([$1])
])
